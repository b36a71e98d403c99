import assert from 'node:assert/strict'
import { chmod, chown, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createRunFolder } from '../../../src/app/run-folder.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { keysIn, SITE, stateAtRest } from './state-at-rest.ts'

describe('a change of the root by its owner', () => {
  it('makes a new root only when that is meant, and destroys the former when told (E18)', async (t) => {
    const { state, cli, json, root } = await stateAtRest(t)
    const first = await root()
    const unsure = await cli(['ca', 'rotate'])
    assert.equal(unsure.code, 2)
    assert.match(
      unsure.stderr,
      /opens https on no device until that device trusts it anew\. Say --yes/,
    )
    assert.equal((await root()).sha256, first.sha256)
    const done = await cli(['ca', 'rotate', '--yes'])
    assert.match(done.stdout, /Every device has to trust it anew/)
    const second = await root()
    assert.notEqual(second.sha256, first.sha256)
    assert.equal((await keysIn(join(state, 'pki'))).length, 6)
    assert.equal((await json(['ca', 'rotate', '--yes', '--forget']))['forgotten'], 2)
    assert.equal((await keysIn(join(state, 'pki'))).length, 3)
  })

  it('turns https for link domains on and off, and says what is on (E03)', async (t) => {
    const { state, cli, json } = await stateAtRest(t)
    assert.match((await cli(['ca', 'link-domains'])).stdout, /^link domains off\n$/)
    assert.deepEqual(await readdir(state), ['pki'])
    assert.deepEqual(await readdir(join(state, 'pki')), ['names'])
    const on = await cli(['ca', 'link-domains', 'on', 'chromecast.link'])
    assert.equal(on.code, 0, on.stderr)
    assert.match(on.stdout, /vouches for chromecast\.link and what is below, for nothing else/)
    const first = (await json(['ca', 'show']))['links'] as { sha256: string }

    // Another domain is another root, on every device.
    const unsure = await cli(['ca', 'link-domains', 'on', 'video.example'])
    assert.equal(unsure.code, 2)
    assert.match(unsure.stderr, /vouches for chromecast\.link alone: another takes its place/)
    assert.equal((await cli(['ca', 'link-domains', 'on', 'video.example', '--yes'])).code, 0)
    const shown = await json(['ca', 'show'])
    assert.notEqual((shown['links'] as { sha256: string }).sha256, first.sha256)
    assert.match(
      (await cli(['ca', 'show'])).stdout,
      /link domains chromecast\.link, video\.example/,
    )

    const config = join(state, 'box.yaml')
    await writeFile(config, JSON.stringify({ pki: { link_domains: ['chromecast.link'] } }))
    const fixed = await cli(['ca', 'link-domains', 'off', '--yes', '--config', config])
    assert.equal(fixed.code, 1)
    assert.match(fixed.stderr, /chromecast\.link stands in pki\.link_domains/)

    assert.equal((await cli(['ca', 'link-domains', 'off'])).code, 2)
    const off = await cli(['ca', 'link-domains', 'off', '--yes'])
    assert.match(off.stdout, /^link domains off\n$/)
    assert.deepEqual(await readdir(join(state, 'pki', 'links')), [])
  })

  it('is refused behind the back of a daemon without an admin socket', async (t) => {
    const { state, cli, root } = await stateAtRest(t)
    const before = await root()
    const running = createRunFolder(state, 'web')
    await running.start(new AbortController().signal)
    finallyDo(t, () => running.stop())
    const { code, stderr } = await cli(['ca', 'rotate', '--yes'])
    assert.equal(code, 1)
    assert.match(stderr, /takes no commands and would not see the change: stop it first/)
    await running.stop()
    assert.equal((await root()).sha256, before.sha256)
  })

  it('leaves what root made readable for the user of the daemon', {
    skip: process.getuid?.() === 0 ? false : 'needs root',
  }, async (t) => {
    const { state, cli } = await stateAtRest(t)
    const nobody = 65_534
    await chmod(state, 0o755)
    await chown(state, nobody, nobody)
    const out = join(await tempFolder(t, 'out'), 'leaf.pem')
    const { code, stderr } = await cli(['gencert', SITE, '-o', out])
    assert.equal(code, 0, stderr)
    for (const entry of await readdir(join(state, 'pki'), { recursive: true })) {
      assert.equal((await stat(join(state, 'pki', entry))).uid, nobody, entry)
    }
    assert.equal((await stat(out)).uid, 0)
  })
})
