import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { open, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { infoHashOfValue, isSignedByOwner } from '../../../src/base/bep44.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { decodeInfo } from '../../../src/base/metainfo/decode.ts'
import { finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { openBox, siteFolder, writeFiles } from './box.ts'

const key = { keyName: 'main' }
const NO_SALT = new Uint8Array(0)
const files = { 'index.html': '<h1>hello</h1>', 'a/b.css': 'b{}', 'a/é.txt': 'x', '.well': 'known' }

describe('publishing a folder', () => {
  it('makes a torrent, signs its record and puts it on the nodes of the DHT', async (t) => {
    const box = await openBox(t)
    const made = await box.publisher.folder(await siteFolder(t, files), key)
    assert.equal(made.seq, 1)
    assert.equal(made.changed, true)
    assert.equal(made.stored?.stored, 20)
    const [item] = box.dht.items.values()
    assert.ok(item && isSignedByOwner(item))
    assert.equal(infoHashOfValue(item.value), made.infoHash)
    const info = await box.store.torrents.info(made.infoHash)
    const metainfo = decodeInfo(info ?? NO_SALT)
    const paths = metainfo.files.map(({ path }) => path.join('/'))
    assert.deepEqual(paths, ['.well', 'a/b.css', 'a/é.txt', 'index.html'])
    const status = await box.engine.status(made.infoHash)
    assert.ok(status?.complete && status.seeding)
    const page = await readFile(torrentFilePath(box.paths, made.infoHash, 3), 'utf8')
    assert.equal(page, files['index.html'])
  })

  it('gives the same infohash and no new seq for the same files, whatever their times and order', async (t) => {
    const box = await openBox(t)
    const first = await siteFolder(t, files)
    const second = await siteFolder(t, Object.fromEntries(Object.entries(files).toReversed()))
    await utimes(join(second, 'index.html'), 1, 1)
    const a = await box.publisher.folder(first, key)
    const b = await box.publisher.folder(second, key)
    assert.equal(b.infoHash, a.infoHash)
    assert.equal(b.changed, false)
    assert.equal(b.seq, a.seq)
    assert.equal(box.store.sites.versions(a.publicKey, NO_SALT).length, 1)
  })

  it('gives changed files the next seq and keeps the old version readable', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, files)
    const a = await box.publisher.folder(folder, key)
    await writeFiles(folder, { 'index.html': 'new' })
    const b = await box.publisher.folder(folder, key)
    assert.notEqual(b.infoHash, a.infoHash)
    assert.equal(b.seq, a.seq + 1)
    const old = await readFile(torrentFilePath(box.paths, a.infoHash, 3), 'utf8')
    assert.equal(old, files['index.html'])
    const seqs = box.store.sites.versions(a.publicKey, NO_SALT).map(({ seq }) => seq)
    assert.deepEqual(seqs, [2, 1])
  })

  it('keeps files that versions share once on disk', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { 'big.bin': Buffer.alloc(300_000, 7), 'a.txt': '1' })
    await box.publisher.folder(folder, key)
    await writeFiles(folder, { 'a.txt': '2' })
    await box.publisher.folder(folder, key)
    const shelves = await readdir(box.paths.blobs, { recursive: true })
    assert.equal(shelves.filter((name) => name.includes('/')).length, 3)
  })

  it('notices a large file whose bytes changed behind the same size and time', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { 'big.bin': Buffer.alloc(600_000, 1), 'small.txt': 's' })
    await utimes(join(folder, 'big.bin'), 1000, 1000)
    const a = await box.publisher.folder(folder, key)
    const same = await box.publisher.folder(folder, key)
    assert.equal(same.infoHash, a.infoHash)
    const handle = await open(join(folder, 'big.bin'), 'r+')
    await handle.write(Buffer.alloc(600_000, 2), 0, 600_000, 0)
    await handle.close()
    await utimes(join(folder, 'big.bin'), 1000, 1000)
    const b = await box.publisher.folder(folder, key)
    assert.notEqual(b.infoHash, a.infoHash)
    const found = await readFile(torrentFilePath(box.paths, b.infoHash, 0))
    assert.ok(found.equals(Buffer.alloc(600_000, 2)))
  })

  it('goes above a seq that the network has after a reinstall', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, files)
    for (const text of ['1', '2', '3']) {
      await writeFiles(folder, { 'index.html': text })
      await box.publisher.folder(folder, key)
    }
    const seed = await box.store.keys.exportSeed('main')
    const fresh = await openBox(t, { dht: box.dht, swarm: box.swarm })
    await fresh.store.keys.importSeed('main', seed)
    await writeFiles(folder, { 'index.html': '4' })
    const made = await fresh.publisher.folder(folder, key)
    assert.equal(made.seq, 4)
    assert.equal(made.stored?.stored, 20)
  })

  it('publishes with nobody reachable, says so, and announces when it can', async (t) => {
    const box = await openBox(t)
    box.dht.reachable = false
    const folder = await siteFolder(t, files)
    const made = await box.publisher.folder(folder, key)
    assert.equal(made.stored?.stored, 0)
    assert.equal(box.store.sites.latest(made.publicKey, NO_SALT)?.seq, 1)
    assert.equal((await box.publisher.health()).status, 'degraded')
    box.dht.reachable = true
    const again = await box.publisher.folder(folder, key)
    assert.equal(again.changed, false)
    assert.equal(again.stored?.stored, 20)
    assert.equal((await box.publisher.health()).status, 'ok')
  })

  it('resolves once committed when asked not to wait, and announces later', async (t) => {
    const box = await openBox(t)
    const made = await box.publisher.folder(await siteFolder(t, files), { ...key, wait: false })
    assert.equal(made.stored, undefined)
    assert.equal(box.store.sites.latest(made.publicKey, NO_SALT)?.infoHash, made.infoHash)
    await until('the record', () => box.dht.items.size === 1)
  })

  it('signs above a newer record that only the put reveals', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, files)
    await box.publisher.folder(folder, key)
    const other = await openBox(t, { dht: box.dht, swarm: box.swarm })
    await other.store.keys.importSeed('main', await box.store.keys.exportSeed('main'))
    await other.publisher.folder(await siteFolder(t, { 'x.html': 'other' }), key)
    await writeFiles(folder, { 'index.html': 'mine' })
    const made = await box.publisher.folder(folder, { ...key, wait: false })
    await until('the higher seq', () => [...box.dht.items.values()][0]?.seq === 3)
    assert.equal(infoHashOfValue([...box.dht.items.values()][0]?.value ?? NO_SALT), made.infoHash)
  })

  it('makes pieces of chunk_size from blob_threshold on, and not a byte below', async (t) => {
    const storage = { blob_threshold: 40_000, chunk_size: 32_768 }
    const box = await openBox(t, { config: { storage } })
    for (const [size, pieceLength] of [
      [39_999, 16_384],
      [40_000, 32_768],
    ] as const) {
      const folder = await siteFolder(t, { 'big.bin': Buffer.alloc(size, 1) })
      const { infoHash } = await box.publisher.folder(folder, key)
      const info = await box.store.torrents.info(infoHash)
      assert.equal(decodeInfo(info ?? NO_SALT).pieceLength, pieceLength)
    }
  })

  it('follows links inside the folder and leaves out pipes and links that lead outside', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, { 'real.txt': 'r', 'sub/x': 'x' })
    await symlink('real.txt', join(folder, 'alias.txt'))
    await symlink('/etc/passwd', join(folder, 'passwd'))
    await symlink('..', join(folder, 'sub', 'up'))
    await symlink('nowhere', join(folder, 'broken'))
    execFileSync('/usr/bin/mkfifo', [join(folder, 'pipe')])
    const { infoHash } = await box.publisher.folder(folder, key)
    const { files: found } = decodeInfo((await box.store.torrents.info(infoHash)) ?? NO_SALT)
    const paths = found.map(({ path }) => path.join('/'))
    assert.deepEqual(paths, ['alias.txt', 'real.txt', 'sub/x'])
  })

  it('refuses a folder that is missing, empty, a file, too large or badly named', async (t) => {
    const box = await openBox(t, { config: { publish: { max_files: 3 } } })
    const refused = async (folder: string, code: string) =>
      assert.rejects(box.publisher.folder(folder, key), { code })
    await refused('/nowhere', 'BTL_ERR_PUBLISH_BAD_FOLDER')
    await refused('/etc/hostname', 'BTL_ERR_PUBLISH_BAD_FOLDER')
    await refused(await siteFolder(t, {}), 'BTL_ERR_PUBLISH_EMPTY')
    await refused(await siteFolder(t, { empty: '' }), 'BTL_ERR_PUBLISH_EMPTY')
    await refused(await siteFolder(t, files), 'BTL_ERR_PUBLISH_TOO_MANY_FILES')
    await refused(await siteFolder(t, { 'a\nb': 'x' }), 'BTL_ERR_PUBLISH_BAD_NAME')
    const latin = await siteFolder(t, { ok: 'x' })
    await writeFile(Buffer.concat([Buffer.from(`${latin}/`), Buffer.from([0xe9])]), 'x')
    await refused(latin, 'BTL_ERR_PUBLISH_BAD_NAME')
    const salt = utf8('x'.repeat(65))
    await assert.rejects(box.publisher.folder(latin, { ...key, salt }), {
      code: 'BTL_ERR_PUBLISH_BAD_SALT',
    })
    const shelves = await readdir(box.paths.blobs, { recursive: true })
    assert.deepEqual(
      shelves.filter((name) => name.includes('/')),
      [],
    )
  })

  it('refuses the state folder, whatever is in it and whatever holds it, by any name', async (t) => {
    const box = await openBox(t)
    const outside = await siteFolder(t, files)
    const link = join(outside, 'link')
    await symlink(box.state, link)
    for (const folder of [box.state, join(box.state, 'keys'), dirname(box.state), '/', link]) {
      await assert.rejects(
        box.publisher.folder(folder, key),
        { code: 'BTL_ERR_PUBLISH_BAD_FOLDER', message: /keeps its keys/ },
        folder,
      )
    }
    // A neighbour whose name begins alike is another folder.
    await writeFiles(`${box.state}-site`, files)
    finallyDo(t, () => rm(`${box.state}-site`, { recursive: true }))
    assert.ok((await box.publisher.folder(`${box.state}-site`, key)).changed)
  })

  it('says that a folder cannot be read, also to root', async (t) => {
    const box = await openBox(t)
    await assert.rejects(box.publisher.folder('/proc/self/attr', key), {
      code: 'BTL_ERR_PUBLISH_BAD_FOLDER',
      message: /read/,
    })
  })

  it('is called by its title while it is the same folder, else by its own name', async (t) => {
    const box = await openBox(t)
    const folder = await siteFolder(t, files)
    const titled = await box.publisher.folder(folder, { ...key, title: 'My site' })
    assert.equal((await box.publisher.folder(folder, key)).infoHash, titled.infoHash)
    const site = () => box.store.sites.site(titled.publicKey, NO_SALT)
    assert.equal(site()?.title, 'My site')
    const other = await box.publisher.folder(await siteFolder(t, { a: 'other' }), key)
    assert.equal(site()?.title, undefined)
    const info = await box.store.torrents.info(other.infoHash)
    assert.equal(decodeInfo(info ?? NO_SALT).name, 'site')
  })

  it('keeps one name a salt, so that a key has many sites', async (t) => {
    const box = await openBox(t)
    const blog = await box.publisher.folder(await siteFolder(t, files), {
      ...key,
      salt: utf8('blog'),
    })
    const home = await box.publisher.folder(await siteFolder(t, { a: 'home' }), key)
    assert.equal(blog.publicKey, home.publicKey)
    assert.equal(box.dht.items.size, 2)
    assert.equal(box.store.sites.sites().length, 2)
  })
})

describe('a publisher', () => {
  it('points a name at an upload, and refuses a torrent it does not have', async (t) => {
    const box = await openBox(t)
    const site = await box.publisher.folder(await siteFolder(t, files), key)
    const salt = utf8('copy')
    const made = await box.publisher.point(site.infoHash, { ...key, salt })
    assert.equal(made.infoHash, site.infoHash)
    const unknown = 'ab'.repeat(20) as typeof site.infoHash
    await assert.rejects(box.publisher.point(unknown, key), { code: 'BTL_ERR_PUBLISH_NO_TORRENT' })
  })

  it('stops seeding and putting what is unpublished, and keeps key and history', async (t) => {
    const box = await openBox(t)
    const made = await box.publisher.folder(await siteFolder(t, files), key)
    await box.publisher.unpublish(made.publicKey, NO_SALT)
    assert.equal(await box.engine.status(made.infoHash), undefined)
    assert.equal(box.store.sites.versions(made.publicKey, NO_SALT).length, 1)
    assert.equal(await box.store.keys.publicKey('main'), made.publicKey)
    assert.equal(box.publisher.stats()['publish_names'], 0)
  })

  it('seeds and puts again what was published before a restart', async (t) => {
    const box = await openBox(t)
    const made = await box.publisher.folder(await siteFolder(t, files), key)
    await box.stop()
    const again = await openBox(t, { state: box.state, dht: box.dht })
    await until('seeding', async () => (await again.engine.status(made.infoHash))?.seeding)
    assert.equal(again.publisher.stats()['publish_names'], 1)
  })
})
