/** What a client speaks, told from its first byte, which is left where it was. */
import type { Duplex } from 'node:stream'

/**
 * @returns undefined where the stream ended or `timeoutMs` went by before there was one
 */
export async function firstByte(stream: Duplex, timeoutMs: number): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  const look = () => {
    const chunk: unknown = stream.read()
    if (!(chunk instanceof Uint8Array)) return
    // What is put back is told of at once, and again, before anybody who awaits gets a turn.
    stream.off('readable', look)
    stream.unshift(chunk)
    resolve(chunk[0])
  }
  const none = () => resolve(undefined)
  const timer = setTimeout(none, timeoutMs)
  stream.on('readable', look)
  stream.once('end', none)
  stream.once('close', none)
  stream.once('error', none)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    stream.off('readable', look)
    stream.off('end', none)
    stream.off('close', none)
    stream.off('error', none)
  }
}
