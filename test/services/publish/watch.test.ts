import assert from 'node:assert/strict'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'node:test'
import type { PublicKey } from '../../../src/base/hashes.ts'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { decodeInfo } from '../../../src/base/metainfo/decode.ts'
import { until } from '../../support/until.ts'
import { type Box, openBox, siteFolder, writeFiles } from './box.ts'

const NO_SALT = new Uint8Array(0)
const watchMain = { keyName: 'main', watch: true }

/** The newest version's files as path and content. */
async function published(box: Box, key: PublicKey): Promise<Record<string, string>> {
  const latest = box.store.sites.latest(key, NO_SALT)
  if (!latest) return {}
  const info = await box.store.torrents.info(latest.infoHash)
  const files: Record<string, string> = {}
  for (const { index, path } of decodeInfo(info ?? NO_SALT).files) {
    files[path.join('/')] = await readFile(
      torrentFilePath(box.paths, latest.infoHash, index),
      'utf8',
    )
  }
  return files
}

const shows = (box: Box, key: PublicKey, path: string, content: string | undefined) =>
  until(`${path} = ${content}`, async () => (await published(box, key))[path] === content)

describe('a watched folder', () => {
  it('is published again when a file changes, appears or goes, in folders new and old', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { 'index.html': '1', 'sub/a': 'a' })
    const { publicKey } = await box.publisher.folder(folder, watchMain)
    await writeFiles(folder, { 'index.html': '2' })
    await shows(box, publicKey, 'index.html', '2')
    await writeFiles(folder, { 'new/deep/b': 'b' })
    await shows(box, publicKey, 'new/deep/b', 'b')
    await writeFiles(folder, { 'new/deep/b': 'bb' })
    await shows(box, publicKey, 'new/deep/b', 'bb')
    await rm(join(folder, 'sub'), { recursive: true })
    await shows(box, publicKey, 'sub/a', undefined)
  })

  it('is published once for a burst of changes', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { 'index.html': '1' })
    const { publicKey } = await box.publisher.folder(folder, watchMain)
    for (let i = 0; i < 30; i++) await writeFiles(folder, { [`f${i}`]: String(i) })
    await shows(box, publicKey, 'f29', '29')
    await sleep(300)
    const versions = box.store.sites.versions(publicKey, NO_SALT)
    // A burst may be cut in two where the machine is slower than the debounce of this test.
    assert.ok(versions.length <= 4, `${versions.length} versions`)
  })

  it('is published while it never gets quiet', async (t) => {
    const box = await openBox(t, { config: { publish: { watch_max_wait: 300 } } })
    const folder = await siteFolder(t, { log: '0' })
    const { publicKey } = await box.publisher.folder(folder, watchMain)
    const busy = new AbortController()
    const writing = (async () => {
      for (let i = 1; !busy.signal.aborted; i++) {
        await writeFile(join(folder, 'log'), String(i))
        await sleep(10)
      }
    })()
    try {
      const versions = () => box.store.sites.versions(publicKey, NO_SALT).length
      await until('versions in between', () => versions() >= 3)
    } finally {
      busy.abort()
      await writing
    }
  })

  it('costs no seq when nothing but times changed', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { a: '1' })
    const { publicKey } = await box.publisher.folder(folder, watchMain)
    const before = box.publisher.stats()['publish_folders'] ?? 0
    await writeFiles(folder, { a: '1' })
    await until('another look', () => (box.publisher.stats()['publish_folders'] ?? 0) > before)
    assert.equal(box.store.sites.versions(publicKey, NO_SALT).length, 1)
  })

  it('keeps its last version while it is gone, and is published when it is back', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { a: '1' })
    const { publicKey } = await box.publisher.folder(folder, watchMain)
    await rename(folder, `${folder}-away`)
    await sleep(1500)
    assert.deepEqual(await published(box, publicKey), { a: '1' })
    await mkdir(folder)
    await writeFiles(folder, { a: '2' })
    await shows(box, publicKey, 'a', '2')
    await writeFiles(folder, { a: '3' })
    await shows(box, publicKey, 'a', '3')
  })

  it('is watched again after a restart, with what changed meanwhile', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { a: '1' })
    const { publicKey } = await box.publisher.folder(folder, watchMain)
    await box.stop()
    await writeFiles(folder, { a: '2' })
    const again = await openBox(t, { state: box.state, dht: box.dht })
    await shows(again, publicKey, 'a', '2')
    await writeFiles(folder, { a: '3' })
    await shows(again, publicKey, 'a', '3')
  })

  it('is no longer watched once it is unpublished', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { a: '1' })
    const { publicKey } = await box.publisher.folder(folder, watchMain)
    await box.publisher.unpublish(publicKey, NO_SALT)
    await writeFiles(folder, { a: '2' })
    await sleep(500)
    assert.equal(box.store.sites.versions(publicKey, NO_SALT).length, 1)
  })

  it('that cannot be published is published once the fault is put right', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { a: '1' })
    const { publicKey } = await box.publisher.folder(folder, watchMain)
    await writeFiles(folder, { 'bad\nname': 'x', a: '2' })
    await sleep(300)
    assert.equal(box.store.sites.versions(publicKey, NO_SALT).length, 1)
    await rm(join(folder, 'bad\nname'))
    await shows(box, publicKey, 'a', '2')
  })
})

describe('files that change while they are read', () => {
  it('never make a torrent whose pieces and files disagree', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { a: '', b: '', c: 'never empty' })
    const busy = new AbortController()
    const writing = (async () => {
      for (let i = 0; !busy.signal.aborted; i++) {
        await writeFile(join(folder, 'a'), String(i % 10).repeat(150_000 + (i % 7) * 10_000))
        await writeFile(join(folder, 'b'), String(i % 10).repeat(100_000 + (i % 5) * 10_000))
      }
    })()
    try {
      for (let i = 0; i < 10; i++) {
        const made = await box.publisher.folder(folder, { keyName: 'main' })
        const other = await openBox(t, { dht: box.dht, swarm: box.swarm })
        await other.publisher.pin(made.publicKey, NO_SALT)
        await until('the pin', async () => (await other.engine.status(made.infoHash))?.seeding)
        await other.stop()
      }
    } finally {
      busy.abort()
      await writing
    }
  })
})
