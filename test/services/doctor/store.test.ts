import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, link, mkdir, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import Sqlite from 'better-sqlite3'
import { publicKey } from '../../../src/base/hashes.ts'
import { makeStore } from '../../engines/store/open-store.ts'
import { createPatient, writeTree } from './patient.ts'

const NEVER = AbortSignal.timeout(600_000)

describe('the store', () => {
  async function withStore(state: string) {
    const store = makeStore(state)
    await store.start(NEVER)
    return store
  }
  async function flip(path: string, at: number): Promise<void> {
    await chmod(path, 0o644)
    const file = await open(path, 'r+')
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at)
    await file.close()
  }

  it('is found to have lost a bit; the file is taken out, and no torrent takes it for whole (R21)', async (t) => {
    const { state, facts, look, mend } = await createPatient(t)
    const store = await withStore(state)
    const good = await store.blobs.put(
      (async function* () {
        yield Buffer.from('good')
      })(),
    )
    const bad = await store.blobs.put(
      (async function* () {
        yield Buffer.from('bad file of a site')
      })(),
    )
    await store.stop()
    const torrent = join(facts.torrents, 'aa'.repeat(20))
    await mkdir(torrent, { recursive: true })
    await link(bad.path, join(torrent, '0'))
    assert.equal((await look('store')).state, 'ok')
    await flip(bad.path, 3)
    const found = await look('store')
    assert.equal(found.state, 'failed')
    assert.match(found.line, /^bits changed in 1 of 2 files/)
    assert.match(await mend('store'), /^took 1 damaged files out .* 1 files of torrents/)
    assert.equal((await look('store')).state, 'ok')
    assert.equal((await stat(join(torrent, '0'))).nlink, 1)
    assert.equal((await readFile(join(torrent, '0'))).length, 18)
    assert.equal((await stat(join(state, 'damaged', bad.sha256))).size, 18)
    assert.equal(
      createHash('sha256')
        .update(await readFile(good.path))
        .digest('hex'),
      good.sha256,
    )
    assert.match(await mend('store'), /^took 0 /)
  })

  it('has its database read page by page, without a change to it (R21)', async (t) => {
    const { state, look } = await createPatient(t)
    assert.equal((await look('database')).state, 'unknown')
    const store = await withStore(state)
    for (let i = 0; i < 60; i++) {
      store.sites.saveSite({
        publicKey: publicKey(i.toString(16).padStart(64, '0')),
        salt: new Uint8Array(),
        title: 'x'.repeat(2000),
        watched: false,
        pinned: true,
      })
    }
    await store.stop()
    const path = join(state, 'state.db')
    const before = await readFile(path)
    assert.equal((await look('database')).state, 'ok')
    assert.deepEqual(await readFile(path), before)
    const file = await open(path, 'r+')
    for (let at = 4096 * 3; at < before.length; at += 4096)
      await file.write(Buffer.alloc(2000, 0xa5), 0, 2000, at)
    await file.close()
    const found = await look('database')
    assert.equal(found.state, 'failed', found.line)
    assert.match(found.line, /damaged/)
    assert.match(found.remedy ?? '', /backup restore/)
  })

  it('gives back what its database no longer uses', async (t) => {
    const { state, look, mend } = await createPatient(t)
    const store = await withStore(state)
    const site = { salt: new Uint8Array(), watched: false, pinned: true }
    store.sites.saveSite({ publicKey: publicKey('ab'.repeat(32)), ...site })
    await store.stop()
    const db = new Sqlite(join(state, 'state.db'))
    db.exec('CREATE TABLE heap (bytes BLOB)')
    db.prepare('INSERT INTO heap VALUES (zeroblob(?))').run(24 * 1024 * 1024)
    db.exec('DROP TABLE heap')
    db.close()
    const found = await look('database-size')
    assert.equal(found.state, 'warning', found.line)
    assert.match(await mend('database'), /^gave \d+(\.\d+)? MB back/)
    assert.equal((await look('database-size')).state, 'ok')
    assert.equal((await look('database')).state, 'ok')
    const again = await withStore(state)
    assert.equal(again.sites.sites().length, 1)
    await again.stop()
  })

  it('has damaged memory of the DHT put aside', async (t) => {
    const { state, look, mend } = await createPatient(t)
    await writeTree(state, {
      'dht/nodes.benc': 'd3:id420:aaaaaaaaaaaaaaaaaaaae',
      'dht/items.benc': 'd5:itemsle',
    })
    assert.match((await look('dht-state')).line, /items\.benc$/)
    assert.equal(await mend('dht-state'), 'put 1 files aside as *.damaged')
    assert.equal((await look('dht-state')).state, 'ok')
    assert.deepEqual((await readdir(join(state, 'dht'))).sort(), [
      'items.benc.damaged',
      'nodes.benc',
    ])
  })
})
