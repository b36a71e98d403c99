/** Small files that are written whole or not at all, and never again. */
import { stat } from 'node:fs/promises'
import { writeDurably } from '../../../base/durable-file.ts'

/** Leaves a file of the same length alone: its name says what it holds. */
export async function writeFileOnce(path: string, bytes: Uint8Array): Promise<void> {
  const there = await stat(path).catch(() => undefined)
  if (there?.size === bytes.length) return
  await writeDurably(path, bytes, { mode: 0o640 })
}
