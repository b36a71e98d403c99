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
import { until } from '../../support/until.ts'
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
  const behaviour = { status: 200, waits: Promise.resolve() }
  const asked: string[] = []
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1)
    asked.push(name)
    const read = async () => {
      const bytes = await readFile(join(release, name))
      if (name.includes('.root.')) await behaviour.waits
      return bytes
    }
    void read().then(
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
  const btlinkd = (...args: string[]) =>
    run(process.execPath, [LAUNCH, ...args, '--config', config], { env })
  return {
    behaviour,
    offer,
    update,
    asked,
    btlinkd,
    fetched: join(update, 'release', 'release.json'),
    async fetch() {
      const done = await btlinkd('update', 'fetch', '--automatic')
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

  it('is done by one at a time: two would write into the same files', async (t) => {
    const box = await boxWithChannel(t)
    const held = Promise.withResolvers<void>()
    box.behaviour.waits = held.promise
    const first = box.btlinkd('update', 'fetch')
    await until('the first to fetch', () => box.asked.some((name) => name.includes('.root.')))
    const before = box.asked.length
    // Lest the test waits for ever where the second one waits with the first.
    const late = setTimeout(held.resolve, 10_000)
    const second = await box.btlinkd('update', 'fetch')
    assert.equal(second.code, 1)
    assert.match(second.stderr, /another `btlinkd update` fetches now/)
    assert.match(await box.fetch(), /another `btlinkd update` fetches now/)
    assert.equal(box.asked.length, before, 'they asked nobody')
    clearTimeout(late)
    held.resolve()
    assert.equal((await first).code, 0)
    assert.match((await box.btlinkd('update', 'fetch')).stdout, /fetched {3}0\.2\.0/)
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
