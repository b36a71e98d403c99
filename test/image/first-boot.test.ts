/** libexec/first-boot, run as its unit runs it, on folders in place of the FAT partition and the box's settings. */
import assert from 'node:assert/strict'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'

const SCRIPT = join(ROOT, 'image/mkosi/mkosi.extra/usr/libexec/btlinkd/first-boot')
const ASKED = 'btlinkd was asked'

async function box(t: Cleanup) {
  const folder = await tempFolder(t)
  const at = (path: string) => join(folder, path)
  await mkdir(at('boot'))
  await mkdir(at('etc/from-card'), { recursive: true })
  await writeFile(at('etc/btlinkd.yaml'), 'state_dir: /var/lib/btlinkd\n')
  return {
    at,
    put: (path: string, text: string) => writeFile(at(path), text),
    /** Whether btlinkd is asked at this start. */
    start: async (): Promise<boolean> => {
      const args = [SCRIPT, at('boot'), at('etc'), at('hostname'), `echo ${ASKED}`]
      const { code, stdout, stderr } = await run('/bin/sh', args)
      assert.equal(code, 0, stderr)
      return stdout.includes(ASKED)
    },
  }
}

describe('what is on the card (R02)', () => {
  it('is looked at by btlinkd where it is another than what was taken', async (t) => {
    const { put, start, at } = await box(t)
    assert.equal(await start(), false)
    await put('boot/btlinkd.yaml', 'dns: {}\n')
    assert.equal(await start(), true)
    await put('etc/from-card/btlinkd.yaml', 'dns: {}\n')
    assert.equal(await start(), false)
    await put('boot/authorized_keys.txt', 'a key')
    assert.equal(await start(), true)
    await rm(at('boot/authorized_keys.txt'))
    await put('boot/btlinkd.errors.txt', 'a fault')
    assert.equal(await start(), true)
  })

  it('does not matter where the box has no settings, or a power cut emptied them', async (t) => {
    const { put, start, at } = await box(t)
    await put('etc/btlinkd.yaml', '')
    assert.equal(await start(), true)
    await rm(at('etc/btlinkd.yaml'))
    assert.equal(await start(), true)
  })

  it('leaves the name that the box was given', async (t) => {
    const { put, start, at } = await box(t)
    await put('etc/hostname', 'attic\n')
    await start()
    assert.equal(await readFile(at('hostname'), 'utf8'), 'attic\n')
  })
})
