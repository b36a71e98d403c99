import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { equalBytes } from '../../../src/base/bytes.ts'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { until } from '../../support/until.ts'
import { openBox, siteFolder, writeFiles } from './box.ts'

const key = { keyName: 'main' }
const NO_SALT = new Uint8Array(0)
const often = { config: { publish: { republish_interval: 100 } } }

describe('a record', () => {
  it('is put again and again while its site is published', async (t) => {
    const box = await openBox(t, often)
    await box.publisher.folder(await siteFolder(t, { a: '1' }), key)
    const puts = () => box.dht.calls.filter((call) => call.startsWith('putMutable')).length
    await until('four puts', () => puts() >= 4)
  })

  it('of a pinned foreign site is put again with its stored signature while its owner is gone', async (t) => {
    const owner = await openBox(t)
    const made = await owner.publisher.folder(await siteFolder(t, { a: 'kept' }), key)
    const [signed] = owner.dht.items.values()
    const box = await openBox(t, { ...often, dht: owner.dht, swarm: owner.swarm })
    const site = await box.publisher.pin(made.publicKey, NO_SALT)
    assert.equal(site.pinned, true)
    await until('the content', async () => (await box.engine.status(made.infoHash))?.seeding)
    await owner.stop()
    box.dht.items.clear()
    const [again] = await until('the record', () => {
      const items = [...box.dht.items.values()]
      return items.length > 0 && items
    })
    assert.equal(again?.seq, signed?.seq)
    assert.ok(again && signed && equalBytes(again.signature, signed.signature))
    const path = torrentFilePath(box.paths, made.infoHash, 0)
    assert.equal(await readFile(path, 'utf8'), 'kept')
  })

  it('is never put over a newer one, which is kept and fetched instead', async (t) => {
    const owner = await openBox(t)
    const folder = await siteFolder(t, { a: '1' })
    const first = await owner.publisher.folder(folder, key)
    const box = await openBox(t, { ...often, dht: owner.dht, swarm: owner.swarm })
    await box.publisher.pin(first.publicKey, NO_SALT)
    await writeFiles(folder, { a: '2' })
    const second = await owner.publisher.folder(folder, key)
    const latest = () => box.store.sites.latest(first.publicKey, NO_SALT)
    await until('the newer record', () => latest()?.seq === second.seq)
    await until('its content', async () => (await box.engine.status(second.infoHash))?.seeding)
    assert.equal([...box.dht.items.values()][0]?.seq, second.seq)
  })

  it('that a visit brought makes a pinned site fetch what it points at', async (t) => {
    const owner = await openBox(t)
    const folder = await siteFolder(t, { a: '1' })
    const first = await owner.publisher.folder(folder, key)
    const box = await openBox(t, { ...often, dht: owner.dht, swarm: owner.swarm })
    await box.publisher.pin(first.publicKey, NO_SALT)
    await writeFiles(folder, { a: '2' })
    const second = await owner.publisher.folder(folder, { ...key, wait: false })
    const latest = owner.store.sites.latest(first.publicKey, NO_SALT)
    assert.ok(latest)
    box.store.sites.remember(latest)
    await until('its content', async () => (await box.engine.status(second.infoHash))?.seeding)
  })

  it('is no longer put once its site is unpinned', async (t) => {
    const owner = await openBox(t)
    const made = await owner.publisher.folder(await siteFolder(t, { a: '1' }), key)
    const box = await openBox(t, { dht: owner.dht, swarm: owner.swarm })
    await box.publisher.pin(made.publicKey, NO_SALT)
    await until('the content', async () => (await box.engine.status(made.infoHash))?.seeding)
    await box.publisher.unpin(made.publicKey, NO_SALT)
    assert.equal(box.publisher.stats()['publish_names'], 0)
    assert.equal(await box.engine.status(made.infoHash), undefined)
  })

  it('that nobody published cannot be pinned', async (t) => {
    const box = await openBox(t)
    const unknown = await box.store.keys.ensure('main')
    await assert.rejects(box.publisher.pin(unknown, NO_SALT), {
      code: 'BTL_ERR_PUBLISH_NO_RECORD',
    })
  })
})

describe('a pinned torrent', () => {
  it('is fetched whole, adopted and seeded, also after a restart in the middle', async (t) => {
    const owner = await openBox(t)
    const made = await owner.publisher.folder(await siteFolder(t, { a: 'x'.repeat(90_000) }), key)
    owner.swarm.reachable = false
    const box = await openBox(t, { swarm: owner.swarm })
    await box.publisher.pinTorrent(made.infoHash, 'a title')
    await box.stop()
    const again = await openBox(t, { state: box.state, swarm: owner.swarm })
    owner.swarm.reachable = true
    await until('seeding', async () => (await again.engine.status(made.infoHash))?.seeding)
    await until('nothing pending', () => again.publisher.stats()['publish_pending_torrents'] === 0)
    assert.equal(again.store.sites.pinnedTorrents()[0]?.title, 'a title')
    await again.publisher.unpinTorrent(made.infoHash)
    assert.equal(await again.engine.status(made.infoHash), undefined)
  })
})
