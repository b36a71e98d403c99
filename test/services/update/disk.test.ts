/** What an update does on a disk that is nearly full, and what it leaves there. */
import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Unreachable } from '../../../src/services/update/errors.ts'
import type { ReleaseSource } from '../../../src/services/update/source.ts'
import { folderSource } from '../../../src/services/update/source-file.ts'
import { withoutNetns } from '../../support/household.ts'
import { missing } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { smallDisk } from '../doctor/patient.ts'
import { releasedBox } from './box.ts'

const MIB = 1024 * 1024
const signal = new AbortController().signal

/** A release of some 3 MiB, and a box that keeps what it fetches on `disk`. */
const box = (t: Cleanup, disk: string) =>
  releasedBox(t, { rootBytes: 3 * MIB, fetched: join(disk, 'fetched') })

/** The release of a folder, with something happening after 64 KiB of the root. */
function disturbed(release: string, meanwhile: () => Promise<void>): ReleaseSource {
  const whole = folderSource(release)
  return {
    ...whole,
    async open(name, offset, by) {
      const { body, offset: begins } = await whole.open(name, offset, by)
      if (!name.includes('.root.')) return { offset: begins, body }
      async function* slowly(): AsyncGenerator<Uint8Array> {
        let isDone = false
        for await (const chunk of body) {
          yield chunk.subarray(0, 65_536)
          if (!isDone) await meanwhile()
          isDone = true
          yield chunk.subarray(65_536)
        }
      }
      return { offset: begins, body: slowly() }
    },
  }
}

const skip = missing('/usr/bin/minisign') || withoutNetns()

describe('R19 an update and a disk that is nearly full', { skip }, () => {
  it('asks for no more room than what is still missing takes', async (t) => {
    const disk = await smallDisk(t, 'size=20m')
    const { updater, fetched, release } = await box(t, disk)
    await updater.fetch([folderSource(release)], {}, signal)
    const pack = (await readdir(fetched)).find((name) => name.includes('.root.')) ?? ''
    const bytes = await readFile(join(fetched, pack))
    // Cut off near its end: with all of it counted again there would be too little room for ever.
    await writeFile(join(fetched, `${pack}.part`), bytes.subarray(0, 2.5 * MIB))
    await rm(join(fetched, pack))
    const again = await updater.fetch([folderSource(release)], {}, signal)
    assert.equal(again.fetchedBytes, bytes.length - 2.5 * MIB)
  })

  it('gives back what it had taken where others filled the disk meanwhile', async (t) => {
    const disk = await smallDisk(t, 'size=20m')
    const { updater, fetched, release } = await box(t, disk)
    const fill = () =>
      writeFile(join(disk, 'others'), Buffer.alloc(20 * MIB)).catch(() => undefined)
    const source = disturbed(release, fill)
    await assert.rejects(updater.fetch([source], {}, signal), { code: 'ENOSPC' })
    assert.deepEqual(
      (await readdir(fetched)).filter((name) => name.includes('.root.')),
      [],
    )
  })

  it('leaves no part of a pack behind where the stick was pulled', async (t) => {
    const disk = await tempFolder(t, 'update-stick')
    const { updater, installed, release } = await box(t, disk)
    const pulled = new Unreachable(release, 'EIO')
    let isThere = true
    const stick = disturbed(release, async () => {
      isThere = false
      throw pulled
    })
    const source: ReleaseSource = {
      ...stick,
      open: async (...args) => (isThere ? stick.open(...args) : Promise.reject(pulled)),
    }
    await assert.rejects(updater.install(source, {}, signal), pulled)
    assert.deepEqual(
      (await readdir(installed)).filter((name) => name.includes('.root.')),
      [],
    )
  })
})
