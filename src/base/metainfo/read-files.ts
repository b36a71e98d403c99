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
// Linux's PATH_MAX, and what bencode adds.
const MAX_PATH_BYTES = 4096 + 64 * 4
const FILES_A_SLICE = 200
const PAD_FOLDER = '.pad'

interface Path {
  names: string[]
  isUtf8: boolean
}

interface FileEntry {
  length: number
  path: Path | undefined
  utf8Path: Path | undefined
  attributes: string
}

/** BEP 47: `l` is a symbolic link, `p` a pad. */
export function readAttributes(reader: BencodeReader): string {
  const attributes = latin1(bytesOf(reader, '"attr"'))
  if (attributes.includes('l')) refuse('a file is a symbolic link')
  return attributes
}

/** Shares names with the path before: in large torrents most folders are the same. */
function readPath(reader: BencodeReader, index: number, before: readonly string[]): Path {
  const names: string[] = []
  let isUtf8 = true
  openList(reader, 'the path of a file')
  const start = reader.at
  while (hasMore(reader)) {
    const name = readFileName(reader, index)
    const known = before[names.length]
    names.push(known === name.text ? known : name.text)
    isUtf8 &&= name.isUtf8
    if (names.length > MAX_PATH_NAMES) refuse(`the path of file ${index} is too deep`)
  }
  // In bencode, where every name has a length and a colon for its slash.
  if (reader.at - start > MAX_PATH_BYTES) refuse(`the path of file ${index} is too long`)
  // A slice has no room left to grow, which an array that was pushed to has plenty of.
  return { names: names.slice(), isUtf8 }
}

function readEntry(reader: BencodeReader, index: number, before: readonly string[]): FileEntry {
  let length: number | undefined
  let path: Path | undefined
  let utf8Path: Path | undefined
  let attributes = ''
  openDict(reader, 'a file')
  for (let key: string | undefined; hasMore(reader); ) {
    key = keyAfter(reader, key)
    if (key === 'length') length = sizeOf(reader, 'the length of a file')
    else if (key === 'path') path = readPath(reader, index, before)
    else if (key === 'path.utf-8') utf8Path = readPath(reader, index, before)
    else if (key === 'attr') attributes = readAttributes(reader)
    else if (key === 'symlink path') refuse(`file ${index} is a symbolic link`)
    else skipSmall(reader)
  }
  if (length === undefined) refuse(`file ${index} has no length`)
  return { length, path, utf8Path, attributes }
}

function toFile(entry: FileEntry, index: number, offset: number): TorrentFile {
  const { length, path, utf8Path } = entry
  const isPad = entry.attributes.includes('p')
  if (!Number.isSafeInteger(offset + length)) refuse('the lengths add up to too much')
  const names = (utf8Path?.isUtf8 ? utf8Path : (path ?? utf8Path))?.names ?? []
  if (names.length === 0) {
    // A pad needs no path, since it is no file to anyone.
    if (isPad) return { index, path: [PAD_FOLDER, String(index)], length, offset, isPad }
    refuse(`file ${index} has no path`)
  }
  const inPadFolder = names[0] === PAD_FOLDER && names.length > 1
  return { index, path: names, length, offset, isPad: isPad || inPadFolder }
}

/** The list of files, none in another's way; the reader stands before it. */
export function* readFiles(reader: BencodeReader): Slices<TorrentFile[]> {
  const files: TorrentFile[] = []
  const tree: FileTree = createFileTree()
  let before: readonly string[] = []
  let offset = 0
  openList(reader, '"files"')
  while (hasMore(reader)) {
    const index = files.length
    if (index === MAX_FILES) refuse(`more than ${MAX_FILES} files`)
    const file = toFile(readEntry(reader, index, before), index, offset)
    // Pads of one size have one name in some torrents.
    if (!file.isPad) tree.add(file.path)
    files.push(file)
    before = file.path
    offset += file.length
    if (index % FILES_A_SLICE === 0) yield
  }
  if (files.length === 0) refuse('"files" is empty')
  return files
}
