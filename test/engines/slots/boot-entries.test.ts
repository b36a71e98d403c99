import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import {
  entriesFolder,
  giveTries,
  giveUp,
  readEntries,
  sweepEntries,
} from '../../../src/engines/slots/boot-entries.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

async function esp(t: Cleanup, names: readonly string[]) {
  const folder = await tempFolder(t, 'esp')
  await mkdir(entriesFolder(folder), { recursive: true })
  for (const name of names) await writeFile(join(entriesFolder(folder), name), 'a kernel')
  return { folder, names: async () => (await readdir(entriesFolder(folder))).sort() }
}

describe('the kernels on the boot partition (R19)', () => {
  it('have their version and what is left of their tries in their names', async (t) => {
    const { folder } = await esp(t, [
      'btlinkd_0.1.0.efi',
      'btlinkd_0.2.0~rc1+2.efi',
      'btlinkd_0.3.0+0-2.efi',
      'btlinkd_0.4.0+x.efi',
      'linux.efi',
    ])
    const entries = await readEntries(folder)
    const tries = Object.fromEntries(entries.map((one) => [one.version, one.triesLeft]))
    assert.deepEqual(tries, { '0.1.0': undefined, '0.2.0~rc1': 2, '0.3.0': 0 })
    assert.deepEqual(await readEntries(join(folder, 'none')), [])
  })

  it('get tries where they have none left, and lose them where they are given up', async (t) => {
    const { folder, names } = await esp(t, ['btlinkd_0.1.0.efi', 'btlinkd_0.2.0+0-2.efi'])
    for (const entry of await readEntries(folder)) await giveTries(folder, entry)
    assert.deepEqual(await names(), ['btlinkd_0.1.0.efi', 'btlinkd_0.2.0+2-0.efi'])
    await writeFile(join(entriesFolder(folder), 'btlinkd_0.3.0+0-2.efi'), 'did not start')
    for (const entry of await readEntries(folder)) await giveUp(folder, entry)
    // No try of theirs was in vain, but of the one that had lost them before.
    const left = ['btlinkd_0.1.0+0-0.efi', 'btlinkd_0.2.0+0-0.efi', 'btlinkd_0.3.0+0-2.efi']
    assert.deepEqual(await names(), left)
    // Once more changes nothing.
    for (const entry of await readEntries(folder)) await giveUp(folder, entry)
    assert.deepEqual(await names(), left)
  })

  it('are swept of what a cut left half written', async (t) => {
    const { folder, names } = await esp(t, ['.#btlinkd_0.2.0.efi8a1', 'btlinkd_0.1.0.efi'])
    // Renamed and empty: what FAT has where the power went before the file was synced again.
    await writeFile(join(entriesFolder(folder), 'btlinkd_0.2.0+2-0.efi'), '')
    await sweepEntries(folder)
    assert.deepEqual(await names(), ['btlinkd_0.1.0.efi'])
  })
})
