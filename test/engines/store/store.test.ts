import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { describe, it } from 'node:test'
import Sqlite from 'better-sqlite3'
import { toHex, utf8 } from '../../../src/base/bytes.ts'
import { blobPath, torrentFilePath, torrentFolder } from '../../../src/base/layout.ts'
import { storePaths } from '../../../src/engines/store/index.ts'
import { blobStoreCompliance, chunksOf, sha256Of, torrentOf } from '../../compliance/blob-store.ts'
import { siteStoreCompliance, someKey, someVersion } from '../../compliance/site-store.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { makeStore, openStore, storageConfig } from './open-store.ts'

blobStoreCompliance('the store', openStore)
siteStoreCompliance('the store', openStore)

const NO_SALT = new Uint8Array(0)
const key = someKey(1)
const signal = new AbortController().signal
const a = Buffer.from('a'.repeat(20_000))
const b = Buffer.from('b'.repeat(5000))

const pathsOf = (stateDir: string) => storePaths({ ...storageConfig, stateDir })

describe('a blob', () => {
  it('is a read-only file named by its hash, and its torrent file is the same inode', async (t) => {
    const state = await tempFolder(t)
    const store = await openStore(t, { stateDir: state })
    const blob = await store.blobs.put(chunksOf(a))
    const torrent = torrentOf(a)
    await store.torrents.link(torrent.infoHash, torrent.info, [blob.sha256])
    const paths = pathsOf(state)
    assert.equal(blob.path, blobPath(paths, blob.sha256))
    const found = await stat(blob.path)
    assert.equal(found.mode & 0o777, 0o444)
    assert.equal((await stat(torrentFilePath(paths, torrent.infoHash, 0))).ino, found.ino)
  })

  it('goes with the last torrent that holds it, and not before', async (t) => {
    const { blobs, torrents } = await openStore(t)
    const shared = await blobs.put(chunksOf(a))
    await blobs.put(chunksOf(a))
    const own = await blobs.put(chunksOf(b))
    const one = torrentOf(a, b)
    const two = torrentOf(a)
    await torrents.link(one.infoHash, one.info, [shared.sha256, own.sha256])
    await torrents.link(two.infoHash, two.info, [shared.sha256])
    await torrents.remove(one.infoHash)
    assert.ok(await blobs.get(shared.sha256))
    assert.equal(await blobs.get(own.sha256), undefined)
    await torrents.remove(two.infoHash)
    assert.equal(await blobs.get(shared.sha256), undefined)
  })

  it('stays while a put that is not linked yet holds it', async (t) => {
    const { blobs, torrents } = await openStore(t)
    const first = await blobs.put(chunksOf(a))
    const one = torrentOf(a)
    await torrents.link(one.infoHash, one.info, [first.sha256])
    const second = await blobs.put(chunksOf(a))
    await torrents.remove(one.infoHash)
    assert.ok(await blobs.get(second.sha256))
    const two = torrentOf(a, b)
    const other = await blobs.put(chunksOf(b))
    await torrents.link(two.infoHash, two.info, [second.sha256, other.sha256])
  })

  it('is made whole again by a put when the disk cut it short', async (t) => {
    const { blobs } = await openStore(t)
    const { path } = await blobs.put(chunksOf(a))
    await chmod(path, 0o644)
    await truncate(path, 10)
    await blobs.put(chunksOf(a))
    assert.deepEqual(await readFile(path), a)
  })

  it('is one for many puts of the same bytes at the same time', async (t) => {
    const state = await tempFolder(t)
    const { blobs } = await openStore(t, { stateDir: state })
    await Promise.all(Array.from({ length: 20 }, () => blobs.put(chunksOf(a))))
    const left = await readdir(pathsOf(state).blobs, { recursive: true })
    assert.equal(left.length, 2)
  })
})

describe('a torrent folder', () => {
  /** A download of the engine: plain files and the info dict, no manifest. */
  async function download(state: string, ...contents: Uint8Array[]) {
    const torrent = torrentOf(...contents)
    const folder = torrentFolder(pathsOf(state), torrent.infoHash)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'info'), torrent.info)
    for (const [index, content] of contents.entries()) {
      if (content.length > 0) await writeFile(join(folder, String(index)), content)
    }
    return { ...torrent, folder }
  }

  it('of a finished download is adopted: each file becomes a blob with the same inode', async (t) => {
    const state = await tempFolder(t)
    const { blobs, torrents } = await openStore(t, { stateDir: state })
    const { infoHash, folder } = await download(state, a, b, NO_SALT)
    const before = await stat(join(folder, '0'))
    await torrents.adopt(infoHash)
    const blob = await blobs.get(sha256Of(a))
    assert.equal((await stat(blob?.path ?? '')).ino, before.ino)
    assert.equal((await stat(join(folder, '1'))).nlink, 2)
    assert.equal((await stat(join(folder, '1'))).mode & 0o777, 0o444)
    await torrents.adopt(infoHash)
    await torrents.remove(infoHash)
    assert.equal(await blobs.get(sha256Of(a)), undefined)
  })

  it('is adopted once, however many ask at the same time', async (t) => {
    const state = await tempFolder(t)
    const { torrents } = await openStore(t, { stateDir: state })
    const { infoHash, folder } = await download(state, a, b)
    await Promise.all([1, 2, 3].map(() => torrents.adopt(infoHash)))
    assert.equal((await stat(join(folder, '1'))).nlink, 2)
  })

  it('of a finished download takes over blobs that are there already', async (t) => {
    const state = await tempFolder(t)
    const { blobs, torrents } = await openStore(t, { stateDir: state })
    const blob = await blobs.put(chunksOf(a))
    const { infoHash, folder } = await download(state, a)
    await torrents.adopt(infoHash)
    assert.equal((await stat(join(folder, '0'))).ino, (await stat(blob.path)).ino)
  })

  it('with a wrong byte, a short file or no info is not adopted', async (t) => {
    const state = await tempFolder(t)
    const { blobs, torrents } = await openStore(t, { stateDir: state })
    const { infoHash, folder } = await download(state, a, b)
    const flipped = Buffer.from(a)
    flipped[7] = 0
    await writeFile(join(folder, '0'), flipped)
    await assert.rejects(torrents.adopt(infoHash), { code: 'BTL_ERR_STORE_DAMAGED' })
    await writeFile(join(folder, '0'), a.subarray(1))
    await assert.rejects(torrents.adopt(infoHash), { code: 'BTL_ERR_STORE_DAMAGED' })
    assert.equal((await stat(join(folder, '1'))).nlink, 1)
    assert.equal(await blobs.get(sha256Of(b)), undefined)
    await assert.rejects(torrents.adopt(torrentOf(a).infoHash), {
      code: 'BTL_ERR_STORE_NO_TORRENT',
    })
  })

  it('that is half downloaded becomes whole when its torrent is published here', async (t) => {
    const state = await tempFolder(t)
    const { blobs, torrents } = await openStore(t, { stateDir: state })
    const { infoHash, info, folder } = await download(state, a, b)
    await writeFile(join(folder, '0'), 'half')
    const hashes = [await blobs.put(chunksOf(a)), await blobs.put(chunksOf(b))]
    await torrents.link(
      infoHash,
      info,
      hashes.map(({ sha256 }) => sha256),
    )
    assert.deepEqual(await readFile(join(folder, '0')), a)
    assert.equal((await stat(join(folder, '1'))).nlink, 2)
  })

  it('gives no info dict that is not the one of its infohash', async (t) => {
    const state = await tempFolder(t)
    const { torrents } = await openStore(t, { stateDir: state })
    const { infoHash, folder } = await download(state, a)
    await writeFile(join(folder, 'info'), 'd4:name1:xe')
    assert.equal(await torrents.info(infoHash), undefined)
    await assert.rejects(torrents.saveInfo(infoHash, utf8('de')), { code: 'BTL_ERR_STORE_DAMAGED' })
  })
})

describe('the store', () => {
  it('lays things out in the state folder, or where the configuration says', async (t) => {
    const state = await tempFolder(t)
    const other = await tempFolder(t)
    const config = {
      metadata_db: join(other, 'meta', 'metadata.db'),
      blob_storage: relative(process.cwd(), join(other, 'blobs')),
      chunk_storage: join(other, 'chunks'),
    }
    await (await openStore(t, { stateDir: state, config })).blobs.put(chunksOf(a))
    assert.deepEqual((await readdir(other)).toSorted(), ['blobs', 'chunks', 'meta'])
    assert.deepEqual(await readdir(state), ['keys'])
    const usual = await tempFolder(t)
    await openStore(t, { stateDir: usual })
    const names = (await readdir(usual)).filter((name) => !name.includes('-wal'))
    assert.deepEqual(names.toSorted(), ['keys', 'state.db', 'store'])
  })

  it('still links where blobs and torrents are on two file systems, by a copy', async (t) => {
    const torrentsFolder = await tempFolder(t)
    const state = await tempFolder(t)
    const shm = join('/dev/shm', `btl-store-${process.pid}`)
    await mkdir(shm)
    finallyDo(t, () => rm(shm, { recursive: true }))
    const config = { blob_storage: shm, chunk_storage: torrentsFolder }
    const { blobs, torrents } = await openStore(t, { stateDir: state, config })
    const blob = await blobs.put(chunksOf(a))
    const { infoHash, info } = torrentOf(a)
    await torrents.link(infoHash, info, [blob.sha256])
    assert.deepEqual(await readFile(join(torrentsFolder, infoHash, '0')), a)
  })

  it('remembers everything after a restart', async (t) => {
    const state = await tempFolder(t)
    const first = makeStore(state)
    await first.start(signal)
    const blob = await first.blobs.put(chunksOf(a))
    first.sites.remember(someVersion(3))
    const seq = first.sites.reserveSeq(key, NO_SALT, 0)
    const publicKey = await first.keys.ensure('main')
    await first.stop()
    await first.stop()
    const again = await openStore(t, { stateDir: state })
    assert.deepEqual(await again.blobs.get(blob.sha256), blob)
    assert.deepEqual(again.sites.latest(key, NO_SALT), someVersion(3))
    assert.ok(again.sites.reserveSeq(key, NO_SALT, 0) > seq)
    assert.equal(await again.keys.ensure('main'), publicKey)
  })

  it('sweeps what a crash left half done, and nothing else', async (t) => {
    const state = await tempFolder(t)
    await (await openStoreOnce(state)).stop()
    const paths = pathsOf(state)
    await writeFile(join(paths.blobs, '.put-AAAAAAAAAAAA'), 'half')
    await mkdir(join(paths.torrents, '.new-AAAAAAAAAAA-'))
    await writeFile(join(paths.torrents, '.new-AAAAAAAAAAA-', '0'), 'half')
    await writeFile(join(paths.keys, '.tmp-AAAAAAAAAAA_'), 'half')
    await writeFile(join(paths.keys, '.gitignore'), '*')
    await openStore(t, { stateDir: state })
    assert.deepEqual(await readdir(paths.blobs), [])
    assert.deepEqual(await readdir(paths.torrents), [])
    assert.deepEqual(await readdir(paths.keys), ['.gitignore'])
  })

  it('refuses to open twice, naming the database', async (t) => {
    const state = await tempFolder(t)
    await openStore(t, { stateDir: state })
    const error = await makeStore(state)
      .start(signal)
      .catch((reason: unknown) => reason)
    assert.match(String(error), /state\.db is held by another btlinkd/)
  })

  it('names a damaged database and leaves it as it is', async (t) => {
    const state = await tempFolder(t)
    const store = await openStoreOnce(state)
    for (let i = 0; i < 300; i++) store.sites.remember(someVersion(i + 1))
    await store.stop()
    const path = pathsOf(state).database
    const whole = await readFile(path)
    for (const broken of [
      Buffer.from('this is no database, it is a text that somebody put here'.repeat(100)),
      Buffer.concat([whole.subarray(0, 4096), Buffer.alloc(whole.length - 4096, 0x5a)]),
    ]) {
      await writeFile(path, broken)
      await assert.rejects(makeStore(state).start(signal), {
        code: 'BTL_ERR_STORE_CORRUPT',
        message: new RegExp(`${path} is damaged`),
      })
      assert.deepEqual(await readFile(path), broken)
    }
  })

  it('refuses a database of a newer btlinkd', async (t) => {
    const state = await tempFolder(t)
    const db = new Sqlite(pathsOf(state).database)
    db.pragma('user_version = 99')
    db.close()
    await assert.rejects(makeStore(state).start(signal), { code: 'BTL_ERR_STORE_TOO_NEW' })
  })

  it('names a folder that cannot be written', async (t) => {
    const state = await tempFolder(t)
    await writeFile(join(state, 'store'), 'a file where a folder must be')
    await assert.rejects(makeStore(state).start(signal), {
      code: 'BTL_ERR_STORE_UNWRITABLE',
      message: /store\/blobs/,
    })
  })

  it('keeps the database in WAL with full syncs', async (t) => {
    const state = await tempFolder(t)
    const store = await openStoreOnce(state)
    store.sites.visited(key, NO_SALT, 1)
    await store.stop()
    const db = new Sqlite(pathsOf(state).database)
    assert.equal(db.pragma('journal_mode', { simple: true }), 'wal')
    db.close()
  })

  it('says that it is down before it was opened', async (t) => {
    const store = makeStore(await tempFolder(t))
    assert.equal((await store.health()).status, 'down')
    assert.throws(() => store.sites.sites(), { code: 'BTL_ERR_STORE_CLOSED' })
  })

  it('forgets the oldest versions and the longest unseen sites over its limits', async (t) => {
    const { sites } = await openStore(t, { config: { history_limit: 5, site_limit: 10 } })
    for (let seq = 1; seq <= 9; seq++) sites.remember(someVersion(seq))
    const seqs = sites.versions(key, NO_SALT).map(({ seq }) => seq)
    assert.deepEqual(seqs, [9, 8, 7, 6, 5])
    const pinned = { publicKey: someKey(2), salt: NO_SALT, watched: false, pinned: true }
    sites.saveSite(pinned)
    for (let i = 0; i < 30; i++) sites.visited(someKey(100 + i), NO_SALT, i)
    assert.equal(sites.sites().length, 11)
    assert.ok(sites.site(someKey(2), NO_SALT))
    assert.equal(sites.site(someKey(119), NO_SALT), undefined)
    assert.ok(sites.site(someKey(120), NO_SALT))
  })
})

describe('keys', () => {
  it('are files that only their owner reads, in hex', async (t) => {
    const state = await tempFolder(t)
    const { keys } = await openStore(t, { stateDir: state })
    await keys.create('main')
    const path = join(pathsOf(state).keys, 'main.key')
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.equal((await stat(pathsOf(state).keys)).mode & 0o777, 0o700)
    assert.equal(await readFile(path, 'utf8'), `${toHex(await keys.exportSeed('main'))}\n`)
  })

  it('have names that cannot leave the folder', async (t) => {
    const { keys } = await openStore(t)
    for (const name of ['', '../x', 'a/b', '.hidden', 'a\0', 'x'.repeat(65), 'ü', '-x']) {
      await assert.rejects(keys.create(name), { code: 'BTL_ERR_STORE_BAD_KEY_NAME' }, name)
    }
  })

  it('that are damaged are named, and do not hide the others', async (t) => {
    const state = await tempFolder(t)
    const { keys } = await openStore(t, { stateDir: state })
    await keys.create('good')
    await writeFile(join(pathsOf(state).keys, 'bad.key'), 'no hex')
    assert.deepEqual(
      (await keys.list()).map(({ name }) => name),
      ['good'],
    )
    await assert.rejects(keys.sign('bad', NO_SALT), { code: 'BTL_ERR_STORE_KEY_DAMAGED' })
    await assert.rejects(keys.importSeed('short', new Uint8Array(31)), {
      code: 'BTL_ERR_STORE_BAD_SEED',
    })
  })

  it('of one name are made once, however many ask at the same time', async (t) => {
    const { keys } = await openStore(t)
    const made = await Promise.all(Array.from({ length: 10 }, () => keys.ensure('main')))
    assert.equal(new Set(made).size, 1)
  })
})

async function openStoreOnce(state: string) {
  const store = makeStore(state)
  await store.start(signal)
  return store
}
