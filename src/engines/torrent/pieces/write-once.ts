/** Small files that are written whole or not at all, and never again. */
import { open, rename, stat } from 'node:fs/promises'

/** Leaves a file of the same length alone: its name says what it holds. */
export async function writeFileOnce(path: string, bytes: Uint8Array): Promise<void> {
  const there = await stat(path).catch(() => undefined)
  if (there?.size === bytes.length) return
  const file = await open(`${path}.tmp`, 'w', 0o640)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.tmp`, path)
}
