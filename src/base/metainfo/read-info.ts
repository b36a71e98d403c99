/** The whole info dict (BEP 3) under our rules, in slices. */
import { createHash } from 'node:crypto'
import { type BencodeReader, createReader, fail } from '../bencode-reader.ts'
import { toHex } from '../bytes.ts'
import { type InfoHash, infoHash } from '../hashes.ts'
import { refuse } from './errors.ts'
import { type FileName, readFileName } from './file-names.ts'
import type { Metainfo, TorrentFile } from './metainfo.ts'
import { MAX_PIECE_LENGTH, MIN_PIECE_LENGTH, PIECE_HASH_BYTES } from './piece-length.ts'
import { readAttributes, readFiles } from './read-files.ts'
import { bytesOf, hasMore, keyAfter, openDict, sizeOf, skipLarge } from './read-values.ts'
import type { Slices } from './slices.ts'

const MAX_INFO_BYTES = 10 * 1024 * 1024
const PIECE_LENGTH_STEP = 1024
const HASHED_A_SLICE = 512 * 1024

interface Found {
  files?: TorrentFile[]
  length?: number
  name?: FileName
  utf8Name?: FileName
  pieceLength?: number
  pieces?: Uint8Array
  attributes?: string
  isPrivate?: boolean
  metaVersion?: number
}

function* readEntries(reader: BencodeReader): Slices<Found> {
  const found: Found = {}
  openDict(reader, 'the info')
  for (let key: string | undefined; hasMore(reader); ) {
    key = keyAfter(reader, key)
    if (key === 'files') found.files = yield* readFiles(reader)
    else if (!readEntry(reader, key, found)) yield* skipLarge(reader)
  }
  return found
}

/** False for a key that means nothing to us. */
function readEntry(reader: BencodeReader, key: string, found: Found): boolean {
  const what = `"${key}"`
  switch (key) {
    case 'attr':
      found.attributes = readAttributes(reader)
      return true
    case 'length':
      found.length = sizeOf(reader, what)
      return true
    case 'meta version':
      found.metaVersion = sizeOf(reader, what)
      return true
    case 'name':
      found.name = readFileName(reader, what)
      return true
    case 'name.utf-8':
      found.utf8Name = readFileName(reader, what)
      return true
    case 'piece length':
      found.pieceLength = sizeOf(reader, what)
      return true
    case 'pieces':
      found.pieces = bytesOf(reader, what)
      return true
    case 'private':
      found.isPrivate = sizeOf(reader, what) === 1
      return true
    case 'symlink path':
      return refuse('the file is a symbolic link')
    default:
      return false
  }
}

function filesOf({ files, length, attributes = '' }: Found, name: string): TorrentFile[] {
  if (files && length !== undefined) refuse('both "length" and "files" are there')
  if (files) return files
  if (length === undefined) refuse('neither "length" nor "files" is there')
  return [{ index: 0, path: [name], length, offset: 0, isPad: attributes.includes('p') }]
}

function checkPieces(pieceLength: number, pieces: Uint8Array, totalLength: number): void {
  if (pieceLength < MIN_PIECE_LENGTH || pieceLength > MAX_PIECE_LENGTH) {
    refuse(`a piece length of ${pieceLength} is not within 16 KiB and 64 MiB`)
  }
  if (pieceLength % PIECE_LENGTH_STEP !== 0) {
    refuse(`a piece length of ${pieceLength} is no multiple of 1024`)
  }
  if (pieces.length % PIECE_HASH_BYTES !== 0) refuse('"pieces" is no multiple of 20 bytes')
  const needed = Math.ceil(totalLength / pieceLength)
  const there = pieces.length / PIECE_HASH_BYTES
  if (there !== needed) refuse(`${there} piece hashes for ${needed} pieces`)
}

function* hash(bytes: Uint8Array): Slices<InfoHash> {
  const sha1 = createHash('sha1')
  for (let at = 0; at < bytes.length; at += HASHED_A_SLICE) {
    sha1.update(bytes.subarray(at, at + HASHED_A_SLICE))
    yield
  }
  return infoHash(toHex(sha1.digest()))
}

function check(found: Found): Omit<Metainfo, 'infoHash' | 'info'> {
  const { name, utf8Name, pieceLength, pieces } = found
  if (!pieces && found.metaVersion === 2) refuse('a v2 torrent without v1 part')
  if (!pieces) refuse('"pieces" is missing')
  if (pieceLength === undefined) refuse('"piece length" is missing')
  const title = (utf8Name?.isUtf8 ? utf8Name : (name ?? utf8Name))?.text
  if (title === undefined) refuse('"name" is missing')
  const files = filesOf(found, title)
  const last = files.at(-1)
  const totalLength = last ? last.offset + last.length : 0
  if (totalLength === 0) refuse('there is not a byte in it')
  checkPieces(pieceLength, pieces, totalLength)
  return {
    name: title,
    isSingleFile: found.files === undefined,
    isPrivate: found.isPrivate ?? false,
    files,
    pieceLength,
    pieceCount: pieces.length / PIECE_HASH_BYTES,
    pieces,
    totalLength,
  }
}

/** Throws BadMetainfo or BadBencode. */
export function* readInfo(info: Uint8Array): Slices<Metainfo> {
  if (info.length > MAX_INFO_BYTES) refuse(`the info has more than ${MAX_INFO_BYTES} bytes`)
  const reader = createReader(info)
  const found = yield* readEntries(reader)
  if (reader.at !== info.length) fail(reader, 'bytes after the end')
  const checked = check(found)
  return { infoHash: yield* hash(info), ...checked, info }
}
