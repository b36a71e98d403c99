/**
 * The bytes of a pack: the steps that make a file out of the blocks of an older one and of new ones.
 * All numbers are big-endian.
 *
 * ```
 * header   8 "BTLPACK1"   4 bytes a block   8 bytes of the whole file
 * zero     1 type 2   4 blocks                                    blocks of zeros
 * copy     1 type 1   4 blocks   4 first                          blocks of the older file
 * data     1 type 3   4 blocks   4 length   length bytes          blocks, compressed by zstd (RFC 8878)
 * end      1 type 0
 * ```
 *
 * Steps stand in the order of the file, which need not end with a whole block.
 */
import { zstdCompressSync, zstdDecompressSync, constants } from 'node:zlib'

const MAGIC = Buffer.from('BTLPACK1')
const HEADER_BYTES = 20
const END = 0
const COPY = 1
const ZERO = 2
const DATA = 3
export const MAX_OUT_BYTES = 4 * 1024 ** 3
/** What one step of data unpacks to at most, and so what unpacking keeps in memory. */
export const MAX_DATA_BYTES = 1024 * 1024
// What zstd adds to what it cannot make smaller: its frame and 3 bytes for each 128 KiB.
const MAX_PACKED_BYTES = MAX_DATA_BYTES + 1024
const LEVEL = 19
// Where minutes count more than bytes.
const FAST_LEVEL = 3

export type Step =
  | { kind: 'copy'; blocks: number; first: number }
  | { kind: 'zero'; blocks: number }
  | { kind: 'data'; blocks: number; bytes: Uint8Array }

export interface PackHeader {
  blockBytes: number
  /** Bytes of the file that it makes. */
  outBytes: number
}

export class BadPack extends Error {}

const isBlock = (bytes: number): boolean =>
  bytes >= 512 && bytes <= 65_536 && (bytes & (bytes - 1)) === 0

export function encodeHeader({ blockBytes, outBytes }: PackHeader): Uint8Array {
  if (!isBlock(blockBytes) || outBytes > MAX_OUT_BYTES) throw new RangeError('no pack can be so')
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.writeUInt32BE(blockBytes, 8)
  header.writeBigUInt64BE(BigInt(outBytes), 12)
  return header
}

/** @param step its data is not compressed yet, at most `MAX_DATA_BYTES`, and less than its blocks at the file's end only */
export function encodeStep(step: Step, { isFast = false }: { isFast?: boolean } = {}): Uint8Array {
  switch (step.kind) {
    case 'zero': {
      const bytes = Buffer.alloc(5)
      bytes.writeUInt8(ZERO)
      bytes.writeUInt32BE(step.blocks, 1)
      return bytes
    }
    case 'copy': {
      const bytes = Buffer.alloc(9)
      bytes.writeUInt8(COPY)
      bytes.writeUInt32BE(step.blocks, 1)
      bytes.writeUInt32BE(step.first, 5)
      return bytes
    }
    case 'data': {
      const packed = zstdCompressSync(step.bytes, {
        params: { [constants.ZSTD_c_compressionLevel]: isFast ? FAST_LEVEL : LEVEL },
      })
      const head = Buffer.alloc(9)
      head.writeUInt8(DATA)
      head.writeUInt32BE(step.blocks, 1)
      head.writeUInt32BE(packed.length, 5)
      return Buffer.concat([head, packed])
    }
  }
}

export const encodeEnd = (): Uint8Array => Uint8Array.of(END)

/** Takes counted bytes out of chunks of any length. */
function createTaker(chunks: AsyncIterable<Uint8Array>) {
  const iterator = chunks[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array(0)
  const next = async (): Promise<boolean> => {
    const result = await iterator.next()
    if (result.done === true) return false
    rest = result.value
    return true
  }
  return {
    async take(length: number): Promise<Buffer> {
      const taken = Buffer.alloc(length)
      for (let have = 0; have < length; ) {
        if (rest.length === 0 && !(await next())) throw new BadPack('it is cut off')
        const part = rest.subarray(0, length - have)
        taken.set(part, have)
        have += part.length
        rest = rest.subarray(part.length)
      }
      return taken
    },
    async isAtEnd(): Promise<boolean> {
      while (rest.length === 0) if (!(await next())) return true
      return false
    },
    async close(): Promise<void> {
      await iterator.return?.()
    },
  }
}

function unpackData(packed: Buffer, length: number): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = zstdDecompressSync(packed, { maxOutputLength: length })
  } catch {
    throw new BadPack('its data does not unpack')
  }
  if (bytes.length !== length) throw new BadPack('its data is shorter than its blocks')
  return bytes
}

/**
 * Reads a pack as it comes.
 * @returns the header at once, and the steps, which make exactly `outBytes`
 * @throws BadPack, also while the steps are read
 */
export async function decodePack(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ header: PackHeader; steps: AsyncGenerator<Step> }> {
  const taker = createTaker(chunks)
  const head = await taker.take(HEADER_BYTES)
  const blockBytes = head.readUInt32BE(8)
  const outBytes = Number(head.readBigUInt64BE(12))
  if (!head.subarray(0, 8).equals(MAGIC)) throw new BadPack('it is none')
  if (!isBlock(blockBytes) || outBytes > MAX_OUT_BYTES) throw new BadPack('it is too large')

  async function* steps(): AsyncGenerator<Step> {
    let left = outBytes
    try {
      for (;;) {
        const type = (await taker.take(1)).readUInt8()
        if (type === END) break
        const blocks = (await taker.take(4)).readUInt32BE()
        // The last block may be a part of one.
        const length = Math.min(blocks * blockBytes, left)
        if (blocks === 0 || blocks > Math.ceil(left / blockBytes))
          throw new BadPack('it makes more than it says')
        left -= length
        if (type === ZERO) yield { kind: 'zero', blocks }
        else if (type === COPY)
          yield { kind: 'copy', blocks, first: (await taker.take(4)).readUInt32BE() }
        else if (type === DATA) {
          const packed = (await taker.take(4)).readUInt32BE()
          if (length > MAX_DATA_BYTES || packed > MAX_PACKED_BYTES)
            throw new BadPack('it has too much data in a step')
          yield { kind: 'data', blocks, bytes: unpackData(await taker.take(packed), length) }
        } else throw new BadPack('it has a step of no known type')
      }
      if (left > 0) throw new BadPack('it makes less than it says')
      if (!(await taker.isAtEnd())) throw new BadPack('it goes on after its end')
    } finally {
      await taker.close()
    }
  }
  return { header: { blockBytes, outBytes }, steps: steps() }
}
