/** Names out of a torrent: which bytes may stand in them, and whether two files are in each other's way. */
import { type BencodeReader, isDigit, readLength } from '../bencode-reader.ts'
import { utf8Text } from '../bytes.ts'
import { refuse, shown } from './errors.ts'

// POSIX names have at most 255 bytes; names made under other systems are longer in UTF-8.
const MAX_NAME_BYTES = 1024
const MAX_FOLDERS = 100_000
const SLASH = 0x2f
const SPACE = 0x20
const DELETE = 0x7f
// The second half of Unicode's control characters, which take two bytes.
const C1_CONTROLS = /[\u0080-\u009f]/

export interface FileName {
  text: string
  /** A text that was no UTF-8 has U+FFFD where it was not. */
  isUtf8: boolean
}

interface Span {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

function faultOfByte(byte: number): string {
  if (byte === SLASH) return 'has a slash inside'
  return byte === 0 ? 'has a NUL byte inside' : 'has a control character inside'
}

/** @param subject index of the file, or what the name is of; made into words only for a message */
function refuseName(subject: number | string, fault: string): never {
  const what = typeof subject === 'number' ? `a name in the path of file ${subject}` : subject
  return refuse(`${what} ${fault}`)
}

function readBeyondAscii({ bytes, start, end }: Span, subject: number | string): FileName {
  const span = bytes.subarray(start, end)
  const strict = utf8Text(span)
  const text = strict ?? span.toString('utf8')
  if (C1_CONTROLS.test(text)) refuseName(subject, 'has a control character inside')
  return { text, isUtf8: strict !== undefined }
}

/** Reads a name that the reader stands before. Up to 100,000 times a torrent, so nothing is made in vain. */
export function readFileName(reader: BencodeReader, subject: number | string): FileName {
  if (!isDigit(reader.bytes[reader.at])) refuseName(subject, 'is no byte string')
  const { bytes } = reader
  const length = readLength(reader)
  const start = reader.at
  const end = start + length
  if (length === 0) refuseName(subject, 'is empty')
  if (length > MAX_NAME_BYTES) refuseName(subject, `is longer than ${MAX_NAME_BYTES} bytes`)
  let isAscii = true
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte < SPACE || byte === SLASH || byte === DELETE) refuseName(subject, faultOfByte(byte))
    if (byte > DELETE) isAscii = false
  }
  reader.at = end
  if (!isAscii) return readBeyondAscii({ bytes, start, end }, subject)
  const text = bytes.toString('latin1', start, end)
  if (text === '.' || text === '..') refuseName(subject, `is "${text}"`)
  return { text, isUtf8: true }
}

export interface FileTree {
  /** @throws BadMetainfo where a file of that path is there, or one stands where a folder must be */
  add(path: readonly string[]): void
}

const FILE = 'file'
interface Folder extends Map<string, Folder | typeof FILE> {}

/** Folder by folder, so that the work and memory for a path grow with its length only. */
export function createFileTree(): FileTree {
  const root: Folder = new Map()
  let folders = 0

  function folderIn(parent: Folder, name: string): Folder {
    const known = parent.get(name)
    if (known === FILE) refuse(`${shown(name)} is both a file and a folder`)
    if (known) return known
    if (++folders > MAX_FOLDERS) refuse(`more than ${MAX_FOLDERS} folders`)
    const made: Folder = new Map()
    parent.set(name, made)
    return made
  }

  function add(path: readonly string[]): void {
    const last = path.length - 1
    let parent = root
    for (let i = 0; i < last; i++) parent = folderIn(parent, path[i] ?? '')
    const name = path[last] ?? ''
    const there = parent.get(name)
    if (there === FILE) refuse(`two files are named ${shown(path.join('/'))}`)
    if (there) refuse(`${shown(path.join('/'))} is both a file and a folder`)
    parent.set(name, FILE)
  }

  return { add }
}
