/** The image of a test: built once for all files of a run, and copied for each machine. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { env, execPath } from 'node:process'
import { FLAVOURS } from '../../image/flavours.ts'
import { missingFor } from '../../image/needs.ts'
import { CACHE } from '../../image/tools.ts'
import type { Box } from './household.ts'
import { machineNeeds } from './machine.ts'
import { missing, output } from './processes.ts'
import { ROOT } from './sources.ts'

const IP = '/usr/sbin/ip'
const MCOPY = '/usr/bin/mcopy'
const BUILD_MS = 700_000

/** The long form, `npm run proof:image`: with the claims that start the machine anew. */
export const isLongProof = env['BTL_IMAGE'] !== undefined

/** Why the image cannot be built and started here, or false. */
export async function withoutImage(): Promise<string | false> {
  const lacking = missing(MCOPY, ...machineNeeds('pc'))
  if (lacking !== false) return lacking
  const lines = isLongProof ? [] : await missingFor(FLAVOURS.pc, CACHE)
  return lines.length > 0 && lines.join('; ')
}

/**
 * The disk image for PCs: BTL_IMAGE where that is set, else built from what is here.
 * @returns the image, never to be written to, and the folder with the files of an update
 */
export async function builtImage(folder: string): Promise<{ image: string; folder: string }> {
  const out = env['BTL_IMAGE'] ?? join(folder, 'pc')
  if (!existsSync(out)) {
    const args = [join(ROOT, 'image/build.ts'), 'pc', '--raw', '--out', out]
    await output(execPath, args, { timeoutMs: BUILD_MS })
  }
  const name = (await readdir(out)).find((file) => file.endsWith('.img'))
  if (name === undefined) throw new Error(`${out} has no image`)
  return { image: join(out, name), folder: out }
}

/** A disk of `size` (as truncate says it) with the image at its beginning, as a card is. */
export async function flash(image: string, disk: string, size = '4G'): Promise<void> {
  await output('/usr/bin/cp', ['--sparse=always', image, disk], { timeoutMs: 120_000 })
  await output('/usr/bin/truncate', ['-s', size, disk])
}

/** Puts files on the FAT partition, as people do with a card in a reader. */
export async function putOnCard(disk: string, files: string[]): Promise<void> {
  // The partition begins at 1 MiB.
  await output(MCOPY, ['-o', '-i', `${disk}@@1M`, ...files, '::/'])
}

/** Joins a tap device to the cable of `box`, in its place: its namespace is the machine's network. */
export async function tapInPlaceOf(box: Box): Promise<{ netns: string; name: string }> {
  const ip = async (...args: string[]) => output(IP, ['-n', box.netns, ...args])
  await ip('addr', 'flush', 'dev', 'eth0')
  await ip('tuntap', 'add', 'tap0', 'mode', 'tap')
  await ip('link', 'add', 'br0', 'type', 'bridge')
  for (const port of ['eth0', 'tap0']) await ip('link', 'set', port, 'master', 'br0', 'up')
  await ip('link', 'set', 'br0', 'up')
  return { netns: box.netns, name: 'tap0' }
}
