/** Bytes that come in pieces, taken in the lengths a format wants. */

export interface ByteSource {
  /** Up to `length` bytes; fewer only at the end. */
  take(length: number): Promise<Buffer>
  /** Up to `length` bytes that are here already; none at the end. */
  some(length: number): Promise<Buffer>
  /** Ends the stream below without reading the rest. */
  close(): Promise<void>
}

export function createByteSource(stream: AsyncIterable<Uint8Array>): ByteSource {
  const pieces = stream[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  let ended = false

  async function pull(): Promise<boolean> {
    while (!ended) {
      const next = await pieces.next()
      if (next.done === true) ended = true
      else if (next.value.length > 0) {
        const { buffer, byteOffset, length } = next.value
        rest = Buffer.from(buffer, byteOffset, length)
        return true
      }
    }
    return false
  }

  async function some(length: number): Promise<Buffer> {
    if (rest.length === 0 && !(await pull())) return Buffer.alloc(0)
    const got = rest.subarray(0, length)
    rest = rest.subarray(got.length)
    return got
  }

  return {
    some,
    async take(length) {
      const first = await some(length)
      if (first.length === length) return first
      const parts = [first]
      let missing = length - first.length
      while (missing > 0) {
        const next = await some(missing)
        if (next.length === 0) break
        parts.push(next)
        missing -= next.length
      }
      return Buffer.concat(parts)
    },
    async close() {
      ended = true
      await pieces.return?.()
    },
  }
}
