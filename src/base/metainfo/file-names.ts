/** Names out of a torrent: which bytes may stand in them, and whether two files are in each other's way. */
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
  /** Of the file itself; a text that was no UTF-8 has U+FFFD where it was not. */
  isUtf8: boolean
}

function refuseByte(byte: number, what: string): void {
  if (byte === SLASH) refuse(`${what} has a slash inside`)
  if (byte === 0) refuse(`${what} has a NUL byte inside`)
  if (byte < SPACE || byte === DELETE) refuse(`${what} has a control character inside`)
}

/** @param what whose name it is, for messages */
export function readFileName(bytes: Uint8Array, what: string): FileName {
  if (bytes.length === 0) refuse(`${what} is empty`)
  if (bytes.length > MAX_NAME_BYTES) refuse(`${what} is longer than ${MAX_NAME_BYTES} bytes`)
  let isAscii = true
  let text = ''
  for (const byte of bytes) {
    refuseByte(byte, what)
    if (byte > DELETE) isAscii = false
  }
  if (isAscii) {
    text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    if (text === '.' || text === '..') refuse(`${what} is "${text}"`)
    return { text, isUtf8: true }
  }
  const strict = utf8Text(bytes)
  text = strict ?? new TextDecoder().decode(bytes)
  if (C1_CONTROLS.test(text)) refuse(`${what} has a control character inside`)
  return { text, isUtf8: strict !== undefined }
}

export interface FileTree {
  /** @throws BadMetainfo where a file of that path is there, or one stands where a folder must be */
  add(path: readonly string[]): void
}

/** Folders are numbered, so that the work and memory for a path grow with its length only. */
export function createFileTree(): FileTree {
  const FILE = -1
  const entries = new Map<string, number>()
  let folders = 0
  let lastPath: readonly string[] = []
  let lastFolders: number[] = []

  function folderIn(parent: number, name: string): number {
    const key = `${parent}/${name}`
    const known = entries.get(key)
    if (known === FILE) refuse(`${shown(name)} is both a file and a folder`)
    if (known !== undefined) return known
    if (++folders > MAX_FOLDERS) refuse(`more than ${MAX_FOLDERS} folders`)
    entries.set(key, folders)
    return folders
  }

  function add(path: readonly string[]): void {
    const depth = path.length - 1
    const known = lastFolders
    const ids: number[] = []
    let parent = 0
    // Files of one folder mostly follow each other.
    let same = true
    for (let i = 0; i < depth; i++) {
      const name = path[i] ?? ''
      same &&= i < known.length && lastPath[i] === name
      parent = same ? (known[i] ?? 0) : folderIn(parent, name)
      ids.push(parent)
    }
    const key = `${parent}/${path[depth] ?? ''}`
    const there = entries.get(key)
    if (there === FILE) refuse(`two files are named ${shown(path.join('/'))}`)
    if (there !== undefined) refuse(`${shown(path.join('/'))} is both a file and a folder`)
    entries.set(key, FILE)
    lastPath = path
    lastFolders = ids
  }

  return { add }
}
