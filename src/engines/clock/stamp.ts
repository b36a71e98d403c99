/** The last time that was known to be right, kept on the disk for a machine that has no battery. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { writeDurably } from '../../base/durable-file.ts'

const FORMAT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/

/** Unix ms; 0 where there is none, or where it is no longer whole. */
export function readStamp(file: string): number {
  try {
    const text = readFileSync(file, 'utf8')
    return FORMAT.test(text) ? Date.parse(text.trim()) || 0 : 0
  } catch {
    return 0
  }
}

async function sweep(file: string): Promise<void> {
  const left = (await readdir(dirname(file))).filter((entry) =>
    entry.startsWith(`.${basename(file)}.`),
  )
  for (const entry of left) await rm(join(dirname(file), entry), { force: true })
}

/** Whole or not at all, also when the power goes. */
export async function writeStamp(file: string, now: number): Promise<void> {
  await sweep(file)
  const fresh = join(dirname(file), `.${basename(file)}.${randomBytes(4).toString('hex')}`)
  const text = `${new Date(now).toISOString()}\n`
  await writeDurably(file, text, { mode: 0o640, fresh, flag: 'wx' })
}
