/** What the timer runs as the daemon's user: `btlinkd update fetch --automatic`. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { missing, run } from '../../support/processes.ts'
import { builtImage, vendor } from '../../support/releases.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { env, LAUNCH } from './state-at-rest.ts'

/** A box whose channel has 0.2.0; `status` is what the channel answers instead. */
async function boxWithChannel(t: TestContext) {
  const folder = await tempFolder(t, 'btl-update')
  const signer = await vendor(t)
  const release = join(folder, 'release')
  const offer = async (version: string) => {
    const built = await builtImage(join(folder, version), version, { root: randomBytes(100_000) })
    await signer.release(built, release, { packsOnly: true })
  }
  await offer('0.2.0')
  const behaviour = { status: 200 }
  const server = createServer((request, response) => {
    void readFile(join(release, (request.url ?? '/').slice(1))).then(
      (bytes) => response.writeHead(behaviour.status).end(bytes),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  finallyDo(t, () => void server.close())
  const state = join(folder, 'state')
  const config = join(folder, 'btlinkd.yaml')
  const { port } = server.address() as AddressInfo
  await writeFile(
    config,
    `state_dir: ${state}\nupdate: { channel: 'http://127.0.0.1:${port}', key: ${signer.keys.publicKey} }\n`,
  )
  const update = join(state, 'update')
  return {
    behaviour,
    offer,
    update,
    fetched: join(update, 'release', 'release.json'),
    async fetch() {
      const done = await run(
        process.execPath,
        [LAUNCH, 'update', 'fetch', '--automatic', '--config', config],
        { env },
      )
      assert.equal(done.code, 0, done.stderr)
      return done.stdout
    },
    /** As if half a day had gone by. */
    forgetCheck: async () => rm(join(update, 'checked.json')),
  }
}

describe('R19 the looking for releases', { skip: missing('/usr/bin/minisign') }, () => {
  it('keeps what it fetched while the source is away, and removes what is withdrawn', async (t) => {
    const box = await boxWithChannel(t)
    assert.match(await box.fetch(), /fetched {3}0\.2\.0/)
    assert.equal(await box.fetch(), 'no check is due\n')
    box.behaviour.status = 503
    await box.forgetCheck()
    await box.fetch()
    assert.ok(existsSync(box.fetched))

    box.behaviour.status = 200
    await box.offer('0.1.0')
    await box.forgetCheck()
    assert.equal(await box.fetch(), 'nothing new\n')
    assert.equal(existsSync(box.fetched), false)
  })

  it('leaves what somebody asked for until it is installed', async (t) => {
    const box = await boxWithChannel(t)
    await box.fetch()
    await writeFile(join(box.update, 'request.json'), '{}')
    box.behaviour.status = 503
    await box.forgetCheck()
    assert.equal(await box.fetch(), 'what was fetched is to be installed now\n')
    assert.ok(existsSync(box.fetched))
  })
})
