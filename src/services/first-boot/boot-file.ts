/** Files from the FAT partition: written by any editor of any machine, cut off by any pulled plug. */
import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../base/errors.ts'

/** More than any of the files needs. */
export const MAX_BOOT_FILE_BYTES = 256 * 1024
/** A FAT root folder holds that many (Microsoft FAT specification, BPB_RootEntCnt of FAT16 disks). */
const MAX_ENTRIES = 512

export type Decoded = { text: string } | { fault: string }

/** A file that is there: as it lies on the partition, and what it says. */
export interface BootFile {
  /** As it is written on the partition. */
  name: string
  path: string
  bytes: Uint8Array
  read: Decoded
}

const isUtf16 = (bytes: Uint8Array, zeroAt: number): boolean => {
  // Of what people write in these files, nearly all is below U+0100.
  const pairs = Math.min(bytes.length >> 1, 200)
  let zeros = 0
  for (let at = 0; at < pairs; at++)
    if (bytes[2 * at + zeroAt] === 0 && bytes[2 * at + 1 - zeroAt] !== 0) zeros++
  return pairs > 1 && zeros > pairs * 0.7
}

function encodingOf(bytes: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  // Editors that write no mark.
  if (isUtf16(bytes, 1)) return 'utf-16le'
  return isUtf16(bytes, 0) ? 'utf-16be' : 'utf-8'
}

function swapped(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes).swap16()
}

const lineOf = (bytes: Uint8Array): number => {
  // Only whole characters before it: the first that cannot be decoded ends the longest good prefix.
  const lenient = new TextDecoder('utf-8').decode(bytes)
  const at = lenient.indexOf('\ufffd')
  return lenient.slice(0, Math.max(at, 0)).split('\n').length
}

/** The text of a file of any common encoding, with plain line ends; or what is wrong with it. */
export function decodeText(bytes: Uint8Array): Decoded {
  const encoding = encodingOf(bytes)
  if (encoding !== 'utf-8' && bytes.length % 2 === 1)
    return { fault: 'it is cut off in the middle' }
  let text: string
  try {
    const whole = encoding === 'utf-16be' ? swapped(bytes) : bytes
    const kind = encoding === 'utf-8' ? 'utf-8' : 'utf-16le'
    // A byte order mark is left out by the decoder.
    text = new TextDecoder(kind, { fatal: true }).decode(whole)
  } catch {
    const where = encoding === 'utf-8' ? `line ${lineOf(bytes)} ` : ''
    return { fault: `${where}is not text in UTF-8: save the file again as UTF-8` }
  }
  // A card that lost power keeps the length of a file and loses what was in it.
  if (text.includes('\0')) return { fault: 'it holds zeros, as after a lost write: copy it again' }
  return { text: text.replace(/\r\n?/g, '\n') }
}

async function readCapped(path: string): Promise<Uint8Array | string> {
  let handle: Awaited<ReturnType<typeof open>> | undefined
  try {
    // Not waiting: a pipe in its place would never be written to.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    if (!(await handle.stat()).isFile()) return 'is not a file'
    const buffer = Buffer.alloc(MAX_BOOT_FILE_BYTES + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length)
      length += bytesRead
      if (bytesRead === 0 || length === buffer.length) break
    }
    return length > MAX_BOOT_FILE_BYTES
      ? `is over ${MAX_BOOT_FILE_BYTES / 1024} KiB`
      : Uint8Array.from(buffer.subarray(0, length))
  } catch (error) {
    const code = codeOf(error)
    // O_NOFOLLOW.
    if (code === 'ELOOP') return 'is a link, and the partition knows none'
    return `cannot be read: ${code ?? messageOf(error)}`
  } finally {
    await handle?.close()
  }
}

/** Names on the partition, however many strange ones there are; none where there is no partition. */
export async function bootEntries(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).slice(0, MAX_ENTRIES)
  } catch {
    return []
  }
}

/**
 * Finds a file by its name in any case, also with the `.txt` that Windows adds unseen.
 * @returns undefined where there is none, a fault where what is there cannot be read
 */
export async function readBootFile(
  folder: string,
  entries: readonly string[],
  name: string,
): Promise<BootFile | undefined> {
  const found = [name, `${name}.txt`]
    .map((wanted) => entries.find((entry) => entry.toLowerCase() === wanted))
    .find((entry) => entry !== undefined)
  if (found === undefined) return undefined
  const path = join(folder, found)
  const bytes = await readCapped(path)
  if (typeof bytes === 'string') {
    return { name: found, path, bytes: new Uint8Array(), read: { fault: bytes } }
  }
  return { name: found, path, bytes, read: decodeText(bytes) }
}
