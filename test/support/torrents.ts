/** Torrents made for tests: info dicts over given bytes, and engines that hold them. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Encodable, encode } from '../../src/base/bencode.ts'
import { type InfoHash, infoHash } from '../../src/base/hashes.ts'

export interface MadeTorrent {
  info: Uint8Array
  infoHash: InfoHash
  /** The torrent file with that info dict. */
  torrentFile: Uint8Array
  files: { path: string[]; bytes: Uint8Array }[]
}

export interface MakeOptions {
  name?: string
  pieceLength?: number
  isPrivate?: boolean
}

const sha1 = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest()

/** Repeatable bytes that no compression and no hole looks like. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = Buffer.alloc(length)
  let state = seed >>> 0 || 1
  for (let at = 0; at < length; at += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    for (let i = 0; i < 4 && at + i < length; i++) bytes[at + i] = (state >>> (8 * i)) & 255
  }
  return bytes
}

/** A single-file torrent of `content`, or one of several files where a list is given. */
export function makeTorrentOf(
  content: Uint8Array | { path: string[]; bytes: Uint8Array }[],
  options: MakeOptions = {},
): MadeTorrent {
  const { name = 'made', pieceLength = 32 * 1024, isPrivate = false } = options
  const files = Array.isArray(content) ? content : [{ path: [name], bytes: content }]
  const whole = Buffer.concat(files.map((file) => file.bytes))
  const pieces: Uint8Array[] = []
  for (let at = 0; at < whole.length; at += pieceLength)
    pieces.push(sha1(whole.subarray(at, at + pieceLength)))
  const shape: Record<string, Encodable> = Array.isArray(content)
    ? { files: files.map(({ path, bytes }) => ({ length: bytes.length, path })) }
    : { length: whole.length }
  const info = encode({
    ...shape,
    name,
    'piece length': pieceLength,
    pieces: Buffer.concat(pieces),
    ...(isPrivate ? { private: 1 } : {}),
  })
  const torrentFile = Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')])
  return { info, infoHash: infoHash(sha1(info).toString('hex')), torrentFile, files }
}

/** Lays the data down as an engine keeps it: file i is `<torrents>/<infohash>/<i>`. */
export async function layDown(torrentsFolder: string, torrent: MadeTorrent): Promise<void> {
  const folder = join(torrentsFolder, torrent.infoHash)
  await mkdir(folder, { recursive: true })
  for (const [index, { bytes }] of torrent.files.entries())
    await writeFile(join(folder, String(index)), bytes)
  await writeFile(join(folder, 'info'), torrent.info)
}
