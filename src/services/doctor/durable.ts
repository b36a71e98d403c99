/** A file that is there whole or not at all, and that belongs to whom its folder belongs. */
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeDurably } from '../../base/durable-file.ts'

export async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const folder = dirname(path)
  await writeDurably(path, text, {
    mode,
    fresh: join(folder, `.tmp-${randomBytes(9).toString('base64url')}`),
    flag: 'wx',
    async prepare(file) {
      const { uid, gid } = await stat(folder)
      if (process.geteuid?.() === 0) await file.chown(uid, gid)
    },
  })
}
