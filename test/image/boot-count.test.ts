/** libexec/boot-count, run as the units run it, on a folder in place of the FAT partition. */
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { run } from '../support/processes.ts'
import { read, ROOT } from '../support/sources.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'

const SCRIPT = join(ROOT, 'image/mkosi/mkosi.extra/usr/libexec/btlinkd/boot-count')
const UNITS = 'image/mkosi/mkosi.extra/usr/lib/systemd/system'

async function box(t: Cleanup, entries: string[], version = '0.2.0') {
  const folder = await tempFolder(t)
  const linux = join(folder, 'boot with a space')
  const release = join(folder, 'os-release')
  const sign = join(folder, 'LoaderBootCountPath')
  await mkdir(linux)
  await writeFile(release, `IMAGE_ID=btlinkd\nIMAGE_VERSION=${version}\n`)
  for (const name of entries) await writeFile(join(linux, name), name)
  return {
    entries: async () => (await readdir(linux)).sort(),
    bootLoaderCounts: () => writeFile(sign, ''),
    async call(what: 'count' | 'good') {
      const { code, stderr } = await run('/bin/sh', [SCRIPT, what, linux, release, sign])
      assert.equal(code, 0, stderr)
    },
  }
}

describe('counting attempts where the boot loader cannot (R19)', () => {
  it('takes a try from the version that runs, and from no other', async (t) => {
    const pi = await box(t, ['btlinkd_0.1.0.efi', 'btlinkd_0.2.0+3.efi'])
    await pi.call('count')
    assert.deepEqual(await pi.entries(), ['btlinkd_0.1.0.efi', 'btlinkd_0.2.0+2-1.efi'])
    await pi.call('count')
    await pi.call('count')
    assert.deepEqual(await pi.entries(), ['btlinkd_0.1.0.efi', 'btlinkd_0.2.0+0-3.efi'])
  })

  it('counts on what an update wrote, and stops at none left', async (t) => {
    const pi = await box(t, ['btlinkd_0.2.0+2-0.efi'])
    for (const name of ['+1-1', '+0-2', '+0-2']) {
      await pi.call('count')
      assert.deepEqual(await pi.entries(), [`btlinkd_0.2.0${name}.efi`])
    }
  })

  it('calls a version good for ever', async (t) => {
    const pi = await box(t, ['btlinkd_0.1.0+0-3.efi', 'btlinkd_0.2.0+2-1.efi'])
    await pi.call('good')
    const good = ['btlinkd_0.1.0+0-3.efi', 'btlinkd_0.2.0.efi']
    assert.deepEqual(await pi.entries(), good)
    await pi.call('count')
    await pi.call('good')
    assert.deepEqual(await pi.entries(), good)
  })

  it('leaves counting to a boot loader that does it', async (t) => {
    const pi = await box(t, ['btlinkd_0.2.0+3.efi'])
    await pi.bootLoaderCounts()
    await pi.call('count')
    await pi.call('good')
    assert.deepEqual(await pi.entries(), ['btlinkd_0.2.0+3.efi'])
  })

  it('does nothing where there is no entry of this version', async (t) => {
    for (const entries of [[], ['btlinkd_0.2.0.1+3.efi', 'other_0.2.0+3.efi', 'loader.conf']]) {
      const pi = await box(t, entries)
      await pi.call('count')
      await pi.call('good')
      assert.deepEqual(await pi.entries(), [...entries].sort())
    }
  })

  it('tries as often as there are tries, and keeps their sum, for every count', async (t) => {
    const tries = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 99 }))
    await fc.assert(
      fc.asyncProperty(tries, async ([left, done]) => {
        const pi = await box(t, [`btlinkd_0.2.0+${left}-${done}.efi`])
        for (let n = 0; n <= left; n++) await pi.call('count')
        assert.deepEqual(await pi.entries(), [`btlinkd_0.2.0+0-${left + done}.efi`])
      }),
      { numRuns: 12 },
    )
  })

  it('is asked for at every start, before health is judged', () => {
    const count = read(`${UNITS}/btlinkd-boot-count.service`)
    const good = read(`${UNITS}/btlinkd-boot-good.service`)
    assert.match(count, /^WantedBy=sysinit\.target$/m)
    assert.match(count, /^Before=sysinit\.target/m)
    assert.match(good, /^Requires=boot-complete\.target$/m)
    for (const unit of [count, good]) {
      assert.match(unit, /^ConditionPathExists=!.*\/LoaderBootCountPath-/m)
      assert.match(unit, /^RequiresMountsFor=\/boot$/m)
    }
  })
})
