/** The release as a site: one household publishes it, another fetches it through its own daemon. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { appendFile, cp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createTestDaemon } from '../support/daemon.ts'
import { familyOf, missing, start } from '../support/processes.ts'
import { builtImage, vendor } from '../support/releases.ts'
import { ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const ROOT_BYTES = 4 * 1024 * 1024

interface Report {
  kind: string
  version?: string
  whyNot?: string
  code?: string
}

describe('R19 an update over btlink itself', { skip: missing('/usr/bin/minisign') }, () => {
  it('is found by name, fetched by swarm, resumed after kill -9, verified, and given to others', async (t) => {
    const folder = await tempFolder(t, 'release')
    const path = (name: string) => join(folder, name)
    const signer = await vendor(t)
    const built = await builtImage(path('0.2.0'), '0.2.0', { root: randomBytes(ROOT_BYTES) })
    const release = await signer.release(built, path('release'), { packsOnly: true })

    const publisher = await createTestDaemon(t)
    const published = await publisher.json('publish', release, '--key', 'vendor')
    const site = String(published['host'])
    const box = await createTestDaemon(t, {
      bootstrap: [publisher.dhtNode],
      // Slow enough to be cut in the middle, though the swarm fetches on from the first question.
      config: {
        btlink: { record_cache: '1s' },
        swarm: { download_limit: 512 * 1024, lan_exempt: false },
        update: { site, key: signer.keys.publicKey },
      },
    })

    const found = await until('the release to be found', async () => {
      const { sources } = (await box.json('update', 'check')) as unknown as { sources: Report[] }
      return sources[0]?.version === '0.2.0' && sources[0]
    })
    assert.equal(found.kind, 'site')
    assert.equal(found.whyNot, undefined)

    const parts = join(box.state, 'update', 'release')
    const args = [
      join(ROOT, 'src/app/launch.mjs'),
      'update',
      'apply',
      '--no-install',
      '--json',
      '--state',
      box.state,
      '--config',
      join(box.state, '..', 'btlinkd.yaml'),
    ]
    const env = { ...process.env, BTL_RUN_SOURCES: '1' }
    const first = start(t, process.execPath, args, { env })
    const partBytes = async () => {
      const name = (await readdir(parts)).find((one) => one.endsWith('.root.pack.part'))
      return name === undefined ? 0 : (await readFile(join(parts, name))).length
    }
    await until('a part of it to be there', async () => (await partBytes()) > 0)
    for (const { pid } of await familyOf(first.pid)) process.kill(pid, 'SIGKILL')
    first.kill('SIGKILL')
    await first.exited
    const had = await partBytes()
    assert.ok(had > 0 && had < ROOT_BYTES, `${had}`)

    const done = await box.json(
      'update',
      'apply',
      '--no-install',
      '--config',
      join(box.state, '..', 'btlinkd.yaml'),
    )
    assert.equal(done['version'], '0.2.0')
    assert.equal(Number(done['totalBytes']) - Number(done['fetchedBytes']) >= had, true)
    assert.equal(done['seeds'], true)
    const { sites } = (await box.json('sites')) as unknown as {
      sites: { host: string; pinned?: boolean }[]
    }
    assert.equal(sites.find(({ host }) => host === site)?.pinned, true)
    assert.deepEqual((await readdir(parts)).sort(), [
      'SHA256SUMS',
      'SHA256SUMS.minisig',
      'btlinkd_0.2.0.kernel.pack',
      'btlinkd_0.2.0.root.pack',
      'btlinkd_0.2.0.verity.pack',
      'release.json',
    ])

    // Whoever has the site's key, and not the vendor's, gets nowhere.
    const forger = await vendor(t)
    const next = await builtImage(path('0.3.0'), '0.3.0', { root: randomBytes(8192) })
    await forger.release(next, path('forged'), { packsOnly: true })
    await rm(release, { recursive: true })
    await cp(path('forged'), release, { recursive: true })
    await appendFile(join(release, 'release.json'), '\n')
    await publisher.json('publish', release, '--key', 'vendor')
    await until(
      'the forged release to be refused',
      async () => {
        const { sources } = (await box.json('update', 'check')) as unknown as { sources: Report[] }
        return sources[0]?.code === 'BTL_ERR_UPDATE_BAD_SIGNATURE'
      },
      { timeoutMs: 90_000, everyMs: 1000 },
    )
    const refused = await box.cli('update', 'apply', '--no-install')
    assert.equal(refused.code, 1)
    assert.match(
      refused.stderr,
      /^btlinkd update: there is nothing to install: .*not signed by its vendor/,
    )
  })

  it('is left to apt or Ansible on a machine that is no image', async (t) => {
    const box = await createTestDaemon(t)
    for (const args of [['check'], ['apply', '/media/stick'], ['rollback']]) {
      const { code, stderr } = await box.cli('update', ...args)
      assert.equal(code, 1, args.join(' '))
      assert.match(
        stderr,
        /^btlinkd update: this machine does not run an image of btlinkd .*apt or Ansible.*\n$/,
      )
    }
    const usage = async (...args: string[]) => (await box.cli('update', ...args)).code
    assert.equal(await usage('now'), 2)
    assert.equal(await usage('apply', '--now', '--no-reboot'), 2)
  })
})
