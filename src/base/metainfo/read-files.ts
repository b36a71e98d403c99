/** The `files` of an info dict (BEP 3, BEP 47): paths, lengths, pads. */
import type { BencodeReader } from '../bencode-reader.ts'
import { latin1 } from '../bytes.ts'
import { refuse } from './errors.ts'
import { createFileTree, type FileTree, readFileName } from './file-names.ts'
import type { TorrentFile } from './metainfo.ts'
import { bytesOf, hasMore, keyAfter, openDict, openList, sizeOf, skipSmall } from './read-values.ts'
import type { Slices } from './slices.ts'

const MAX_FILES = 100_000
const MAX_PATH_NAMES = 64
// Linux's PATH_MAX.
const MAX_PATH_BYTES = 4096
const FILES_A_SLICE = 200
const PAD_FOLDER = '.pad'

interface Path {
  names: string[]
  isUtf8: boolean
}

interface FileEntry {
  length: number | undefined
  path: Path | undefined
  utf8Path: Path | undefined
  attributes: string
}

/** BEP 47: `l` is a symbolic link, `p` a pad. */
export function readAttributes(reader: BencodeReader, what: string): string {
  const attributes = latin1(bytesOf(reader, `attr of ${what}`))
  if (attributes.includes('l')) refuse(`${what} is a symbolic link`)
  return attributes
}

function readPath(reader: BencodeReader, what: string): Path {
  openList(reader, `the path of ${what}`)
  const path: Path = { names: [], isUtf8: true }
  let bytes = 0
  while (hasMore(reader)) {
    const raw = bytesOf(reader, `a name in the path of ${what}`)
    bytes += raw.length + 1
    if (path.names.length === MAX_PATH_NAMES) refuse(`the path of ${what} is too deep`)
    if (bytes > MAX_PATH_BYTES) refuse(`the path of ${what} is too long`)
    const name = readFileName(raw, `a name in the path of ${what}`)
    path.names.push(name.text)
    path.isUtf8 &&= name.isUtf8
  }
  return path
}

function readEntry(reader: BencodeReader, what: string): FileEntry {
  const entry: FileEntry = {
    length: undefined,
    path: undefined,
    utf8Path: undefined,
    attributes: '',
  }
  openDict(reader, what)
  for (let key = ''; hasMore(reader); ) {
    key = keyAfter(reader, key)
    if (key === 'length') entry.length = sizeOf(reader, `the length of ${what}`)
    else if (key === 'path') entry.path = readPath(reader, what)
    else if (key === 'path.utf-8') entry.utf8Path = readPath(reader, what)
    else if (key === 'attr') entry.attributes = readAttributes(reader, what)
    else if (key === 'symlink path') refuse(`${what} is a symbolic link`)
    else skipSmall(reader, what)
  }
  return entry
}

function toFile(entry: FileEntry, index: number, offset: number): TorrentFile {
  const { length, path, utf8Path } = entry
  const what = `file ${index}`
  const isPad = entry.attributes.includes('p')
  if (length === undefined) refuse(`${what} has no length`)
  if (!Number.isSafeInteger(offset + length)) refuse('the lengths add up to too much')
  const names = (utf8Path?.isUtf8 ? utf8Path : (path ?? utf8Path))?.names ?? []
  if (names.length === 0) {
    // A pad needs no path, since it is no file to anyone.
    if (isPad) return { index, path: [PAD_FOLDER, String(index)], length, offset, isPad }
    refuse(`${what} has no path`)
  }
  const inPadFolder = names[0] === PAD_FOLDER && names.length > 1
  return { index, path: names, length, offset, isPad: isPad || inPadFolder }
}

/** The list of files, none in another's way; the reader stands before it. */
export function* readFiles(reader: BencodeReader): Slices<TorrentFile[]> {
  const files: TorrentFile[] = []
  const tree: FileTree = createFileTree()
  let offset = 0
  openList(reader, '"files"')
  while (hasMore(reader)) {
    const index = files.length
    if (index === MAX_FILES) refuse(`more than ${MAX_FILES} files`)
    const file = toFile(readEntry(reader, `file ${index}`), index, offset)
    // Pads of one size have one name in some torrents.
    if (!file.isPad) tree.add(file.path)
    files.push(file)
    offset += file.length
    if (index % FILES_A_SLICE === 0) yield
  }
  if (files.length === 0) refuse('"files" is empty')
  return files
}
