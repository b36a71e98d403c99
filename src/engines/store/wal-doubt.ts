/**
 * Whether a write-ahead log lost something that was committed. SQLite takes it up to the first frame
 * that is not sound and says nothing of the rest: after a power cut there is no rest, after damage
 * there may be. Format: https://sqlite.org/fileformat2.html, section 4.
 */
import { open } from 'node:fs/promises'
import { codeOf } from '../../base/errors.ts'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const MAGIC = 0x377f0682
const MIN_PAGE = 512
const MAX_PAGE = 65_536
// SQLite writes it into the database at some 4 MB.
const MAX_FRAMES = 20_000

type Sums = [number, number]

function addTo([first, second]: Sums, bytes: Buffer, isBigEndian: boolean): Sums {
  let [a, b] = [first, second]
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const x = isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)
    const y = isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)
    a = (a + x + b) >>> 0
    b = (b + y + a) >>> 0
  }
  return [a, b]
}

const areAt = (bytes: Buffer, at: number, [a, b]: Sums): boolean =>
  bytes.readUInt32BE(at) === a && bytes.readUInt32BE(at + 4) === b

/** @returns what is wrong with the log, undefined where nothing is or there is none */
export async function walDoubt(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (!handle) return undefined
  try {
    const { size } = await handle.stat()
    if (size === 0) return undefined
    const head = Buffer.alloc(HEADER_BYTES)
    if ((await handle.read(head, 0, HEADER_BYTES, 0)).bytesRead < HEADER_BYTES) {
      return 'its log is cut short'
    }
    const magic = head.readUInt32BE(0)
    const isBigEndian = (magic & 1) === 1
    const pageBytes = head.readUInt32BE(8)
    let sums = addTo([0, 0], head.subarray(0, 24), isBigEndian)
    const isHead = magic >>> 1 === MAGIC >>> 1 && pageBytes >= MIN_PAGE && pageBytes <= MAX_PAGE
    if (!isHead || !areAt(head, 24, sums)) return 'its log has a damaged head'
    const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes)
    const isOfThisRound = () => frame.subarray(8, 16).equals(head.subarray(16, 24))
    for (let count = 0, at = HEADER_BYTES; count < MAX_FRAMES && at < size; count++) {
      const { bytesRead } = await handle.read(frame, 0, frame.length, at)
      // Frames after those of an earlier round of the log were never part of this one.
      if (bytesRead < 16 || !isOfThisRound()) return undefined
      if (bytesRead < frame.length) return 'its log is cut short'
      sums = addTo(sums, frame.subarray(0, 8), isBigEndian)
      sums = addTo(sums, frame.subarray(FRAME_HEADER_BYTES), isBigEndian)
      if (!areAt(frame, 16, sums)) return 'its log is damaged'
      at += frame.length
    }
    return undefined
  } finally {
    await handle.close()
  }
}
