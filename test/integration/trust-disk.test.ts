import assert from 'node:assert/strict'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { OPENSSL, rootFileOf, sClient, site } from '../support/box-trust.ts'
import { createTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { missing, output } from '../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const MOUNT = '/usr/bin/mount'

interface PartHealth {
  status: string
  detail?: string
}

async function pkiHealth(box: TestDaemon): Promise<PartHealth | undefined> {
  const report = (await box.api('/api/health')).json() as { components: Record<string, PartHealth> }
  return report.components['pki']
}

/** A state folder whose `pki` is a disk of its own. */
async function withDisk(t: Cleanup, options: string): Promise<{ state: string; pki: string }> {
  const state = join(await tempFolder(t, 'disk'), 'state')
  const pki = join(state, 'pki')
  await mkdir(pki, { recursive: true })
  await output(MOUNT, ['-t', 'tmpfs', '-o', options, 'btl-trust', pki])
  finallyDo(t, async () => void (await output('/usr/bin/umount', [pki])))
  return { state, pki }
}

const isServed = async (box: TestDaemon, host: string, rootFile: string): Promise<boolean> => {
  const check = ['-CAfile', rootFile, '-verify_return_error', '-verify_hostname', host]
  return (await sClient(box, '-servername', host, ...check)).code === 0
}

describe('a box whose certificates have no place on the disk', {
  skip: process.getuid?.() === 0 ? missing(OPENSSL, MOUNT) : 'mounting needs root',
}, () => {
  it('serves http, says why there is no https, and has it when there is room', async (t) => {
    const { state, pki } = await withDisk(t, 'size=16k,mode=700')
    const filler = join(pki, 'filler')
    await writeFile(filler, new Uint8Array(16_384))
    const box = await createTestDaemon(t, { state })
    assert.equal((await box.get('setup.btlink')).status, 200)
    const refused = await sClient(box, '-servername', site(1))
    assert.notEqual(refused.code, 0)
    assert.match(refused.stderr, /alert internal error|alert number 80/)
    const ill = await pkiHealth(box)
    assert.equal(ill?.status, 'down')
    assert.match(
      ill?.detail ?? '',
      /cannot keep a certificate authority in .*\(ENOSPC\): check its space/,
    )
    const shown = await box.cli('ca', 'show')
    assert.equal(shown.code, 1)
    assert.match(shown.stderr, /ENOSPC/)
    assert.equal((await box.get('setup.btlink', '/.btlink/rootca.pem')).status, 503)
    const left = (await readdir(pki, { recursive: true })).filter((name) => name.includes('.new-'))
    assert.deepEqual(left, [], 'nothing half made takes up the room')

    await rm(filler)
    await output(MOUNT, ['-o', 'remount,size=1m', pki])
    await until('https', async () => {
      const { stdout } = await sClient(box, '-servername', site(1))
      return stdout.includes('BEGIN CERTIFICATE')
    })
    assert.equal((await pkiHealth(box))?.status, 'ok')
    assert.equal(await isServed(box, site(1), await rootFileOf(t, box)), true)
  })

  it('goes on with the root it has when the disk fills up or turns read-only', async (t) => {
    const { state, pki } = await withDisk(t, 'size=1m,mode=700')
    const box = await createTestDaemon(t, { state })
    const rootFile = await rootFileOf(t, box)
    await output(MOUNT, ['-o', 'remount,ro', pki])
    const failed = await box.cli('ca', 'rotate', '--yes')
    assert.equal(failed.code, 1)
    assert.match(failed.stderr, /cannot keep a certificate authority in .*\(EROFS\)/)
    assert.equal(await isServed(box, site(1), rootFile), true)
    await box.restart()
    assert.equal(await isServed(box, site(2), rootFile), true)
    assert.equal((await pkiHealth(box))?.status, 'ok')
    const on = await box.cli('ca', 'link-domains', 'on', 'chromecast.link')
    assert.equal(on.code, 1)
    assert.match(on.stderr, /EROFS/)
    await output(MOUNT, ['-o', 'remount,rw', pki])
    assert.equal((await box.cli('ca', 'link-domains', 'on', 'chromecast.link')).code, 0)
  })
})
