/** What an update leaves between two starts: whole after a power cut, and where somebody planted its name. */
import { rm } from 'node:fs/promises'
import { writeDurably } from '../../base/durable-file.ts'

export async function replaceFile(path: string, bytes: Uint8Array | string): Promise<void> {
  const fresh = `${path}.part`
  await rm(fresh, { force: true })
  await writeDurably(path, bytes, { mode: 0o644, fresh, flag: 'wx' })
}
