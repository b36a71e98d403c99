import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { EMPTY, fromHex } from '../../../src/base/bytes.ts'
import { infoHash, publicKey } from '../../../src/base/hashes.ts'
import { createDatabaseFiles } from '../../../src/engines/store/index.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { makeStore } from './open-store.ts'

const signal = new AbortController().signal
const KEY = publicKey('1b'.repeat(32))
const HASH = infoHash('2c'.repeat(20))

const versionOf = (seq: number) => ({
  publicKey: KEY,
  salt: EMPTY,
  seq,
  infoHash: HASH,
  value: fromHex('64326968'),
  signature: new Uint8Array(64),
  firstSeenAt: 1,
  confirmedAt: 1,
})

/** A state folder that knows one site, with a good copy of its database, and was killed: its log is there. */
async function boxWithSite(t: Cleanup): Promise<{ state: string; database: string }> {
  const home = await tempFolder(t)
  const store = makeStore(home)
  await store.start(signal)
  store.sites.saveSite({
    publicKey: KEY,
    salt: EMPTY,
    keyName: 'home',
    title: 'Home',
    watched: false,
    pinned: false,
  })
  assert.equal(store.sites.reserveSeq(KEY, EMPTY, 6), 7)
  store.sites.remember(versionOf(7))
  await store.snapshot()
  assert.equal(store.sites.reserveSeq(KEY, EMPTY, 0), 8)
  store.sites.remember(versionOf(8))
  // As a kill leaves it.
  const state = await tempFolder(t)
  for (const name of ['state.db', 'state.db-wal', 'state.db.snapshot']) {
    await copyFile(join(home, name), join(state, name))
  }
  await store.stop()
  return { state, database: join(state, 'state.db') }
}

async function garble(path: string, from: number): Promise<void> {
  const bytes = await readFile(path)
  randomBytes(bytes.length - from).copy(bytes, from)
  await writeFile(path, bytes)
}

/** The main file alone, as after a clean stop. */
async function settle(state: string): Promise<void> {
  const store = makeStore(state)
  await store.start(signal)
  await store.stop()
}

const damages: [string, (state: string, database: string) => Promise<void>][] = [
  ['empty', async (state, database) => (await settle(state), truncate(database, 0))],
  ['gone', async (state, database) => (await settle(state), rm(database))],
  ['gone, its log left', async (_, database) => rm(database)],
  ['cut after 10 bytes', async (state, database) => (await settle(state), truncate(database, 10))],
  ['cut after a page', async (state, database) => (await settle(state), truncate(database, 4096))],
  ['cut within a page', async (state, database) => (await settle(state), truncate(database, 9000))],
  ['garbled', async (state, database) => (await settle(state), garble(database, 0))],
  ['garbled after its head', async (state, db) => (await settle(state), garble(db, 4096))],
]

describe('a damaged database', () => {
  for (const [name, damage] of damages) {
    it(`${name} is put back from its good copy, and no number is used twice (R21)`, async (t) => {
      const { state, database } = await boxWithSite(t)
      await damage(state, database)
      const store = makeStore(state)
      await store.start(signal)
      t.after(() => store.stop())
      assert.equal(store.sites.site(KEY, EMPTY)?.title, 'Home')
      assert.equal(store.sites.latest(KEY, EMPTY)?.seq, 7)
      // 8 was given out before the damage.
      assert.equal(store.sites.reserveSeq(KEY, EMPTY, 0), 1008)
      const kept = (await readdir(state)).filter((one) => one.includes('.damaged-'))
      if (!name.startsWith('gone')) assert.ok(kept.length > 0)
      const health = await store.health()
      if (kept.some((one) => !one.endsWith('-wal'))) {
        assert.equal(health.status, 'degraded')
        assert.match(health.detail ?? '', /put back from its last good copy: .* remove .*damaged-/)
      }
    })
  }

  for (const [name, from, known] of [
    ['head', 0, 1008],
    ['middle', 5000, 1008],
    ['end', -2000, 1008],
  ] as const) {
    it(`loses nothing else by damage to the ${name} of its log (R21)`, async (t) => {
      const { state, database } = await boxWithSite(t)
      const wal = `${database}-wal`
      const { size } = await stat(wal)
      await garble(wal, from < 0 ? size + from : from)
      const store = makeStore(state)
      await store.start(signal)
      t.after(() => store.stop())
      assert.equal(store.sites.site(KEY, EMPTY)?.title, 'Home')
      assert.ok(store.sites.reserveSeq(KEY, EMPTY, 0) >= known)
    })
  }

  it('raises no number after a mere kill', async (t) => {
    const { state } = await boxWithSite(t)
    const store = makeStore(state)
    await store.start(signal)
    t.after(() => store.stop())
    assert.equal(store.sites.reserveSeq(KEY, EMPTY, 0), 9)
    assert.equal((await store.health()).status, 'ok')
  })

  it('that is gone without a copy is named where the box has content, never begun anew (R21)', async (t) => {
    const { state, database } = await boxWithSite(t)
    await settle(state)
    await rm(`${database}.snapshot`)
    await rename(database, `${database}.elsewhere`)
    const content = join(state, 'store', 'torrents', HASH)
    await mkdir(content, { recursive: true })
    await assert.rejects(makeStore(state).start(signal), {
      code: 'BTL_ERR_STORE_GONE',
      message: /is empty or gone.*btlinkd backup restore FILE/,
    })
    assert.ok(!(await readdir(state)).includes('state.db'))
  })

  it('has a copy soon after own sites changed', async (t) => {
    const state = await tempFolder(t)
    const store = makeStore(state, { snapshot_interval: 1000 })
    await store.start(signal)
    t.after(() => store.stop())
    store.sites.reserveSeq(KEY, EMPTY, 40)
    const copy = join(state, 'state.db.snapshot')
    const files = createDatabaseFiles()
    await until('the number in the copy', async () => {
      const probe = join(state, 'probe')
      await copyFile(copy, probe).catch(() => undefined)
      if (!(await readdir(state)).includes('probe')) return false
      return (await files.numbers(probe)).some(({ seq }) => seq === 41)
    })
    assert.equal((await stat(copy)).mode & 0o777, 0o600)
  })
})
