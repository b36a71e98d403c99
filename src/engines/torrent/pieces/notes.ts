/** Small bencoded files beside a torrent's data, whole or as they were before. */
import { open, readFile, rename, stat } from 'node:fs/promises'
import { type BDict, decode, type Encodable, encode } from '../../../base/bencode.ts'

const MAX_NOTE_BYTES = 4 * 1024 * 1024

/** Undefined where the file is missing or broken. */
export async function readNote(path: string): Promise<BDict | undefined> {
  try {
    if ((await stat(path)).size > MAX_NOTE_BYTES) return undefined
    const value = decode(await readFile(path))
    return value instanceof Map ? value : undefined
  } catch {
    return undefined
  }
}

async function says(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    if ((await stat(path)).size !== bytes.length) return false
    return Buffer.compare(await readFile(path), bytes) === 0
  } catch {
    return false
  }
}

/**
 * What says the same as before is not written: cards wear. After a power cut it is this note or the one
 * before, and what an old one does not know is hashed again: the folder is not synced, which would double
 * what a download writes to a card. Not for two writers of one file at the same time.
 */
export async function writeNote(
  path: string,
  note: Record<string, Encodable | undefined>,
): Promise<void> {
  const bytes = encode(note)
  if (await says(path, bytes)) return
  const file = await open(`${path}.tmp`, 'w', 0o640)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.tmp`, path)
}
