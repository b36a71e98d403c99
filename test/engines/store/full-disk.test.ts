import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { storePaths } from '../../../src/engines/store/index.ts'
import { chunksOf, sha256Of, torrentOf } from '../../compliance/blob-store.ts'
import { someKey, someVersion } from '../../compliance/site-store.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { makeStore, openStore, storageConfig } from './open-store.ts'

const MB = 1024 * 1024
const NO_SALT = new Uint8Array(0)
const key = someKey(1)

/** A disk of its own that is soon full. */
async function smallDisk(t: Cleanup): Promise<string> {
  const folder = await tempFolder(t)
  execFileSync('/usr/bin/mount', ['-t', 'tmpfs', '-o', 'size=8m', 'btl-full-disk', folder])
  finallyDo(t, () => void execFileSync('/usr/bin/umount', ['-l', folder]))
  return folder
}

function needsMount(): string | false {
  try {
    execFileSync('/usr/bin/unshare', ['--mount', '/usr/bin/mount', '-t', 'tmpfs', 'none', '/mnt'], {
      stdio: 'ignore',
    })
    return false
  } catch {
    const what = 'needs root and the right to mount a tmpfs'
    if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(what)
    return what
  }
}

async function fill(put: (bytes: Buffer) => Promise<unknown>, size: number): Promise<Error> {
  for (let i = 0; i < 2000; i++) {
    try {
      await put(randomBytes(size))
    } catch (error) {
      return error as Error
    }
  }
  throw new Error('the disk never got full')
}

describe('a store on a full disk', { skip: needsMount() }, () => {
  it('refuses with 507, leaves no rest of the upload, and takes it when there is room', async (t) => {
    const state = await smallDisk(t)
    const store = await openStore(t, { stateDir: state })
    const first = randomBytes(2 * MB)
    const blob = await store.blobs.put(chunksOf(first, 65_536))
    const torrent = torrentOf(first)
    await store.torrents.link(torrent.infoHash, torrent.info, [blob.sha256])
    const error = await fill((bytes) => store.blobs.put(chunksOf(bytes, 65_536)), MB)
    assert.equal((error as { code?: string }).code, 'BTL_ERR_STORE_FULL')
    assert.equal((error as { statusCode?: number }).statusCode, 507)
    const { blobs } = storePaths({ ...storageConfig, stateDir: state })
    assert.ok((await readdir(blobs)).every((name) => !name.startsWith('.')))
    assert.equal(sha256Of(await readFile(blob.path)), blob.sha256)
    await store.torrents.remove(torrent.infoHash)
    await store.blobs.put(chunksOf(randomBytes(MB), 65_536))
  })

  it('keeps room for the database: sites are still written when content is refused', async (t) => {
    const state = await smallDisk(t)
    const store = await openStore(t, { stateDir: state, config: { min_free: 3 * MB } })
    const error = await fill((bytes) => store.blobs.put(chunksOf(bytes, 65_536)), MB / 2)
    assert.equal((error as { code?: string }).code, 'BTL_ERR_STORE_FULL')
    for (let seq = 1; seq < 200; seq++) store.sites.remember(someVersion(seq))
    assert.equal(store.sites.latest(key, NO_SALT)?.seq, 199)
    const health = await store.health()
    assert.equal(health.status, 'degraded')
    assert.match(health.detail ?? '', /free/)
  })

  it('fails rows whole when there is no byte left, and starts again from it', async (t) => {
    const state = await smallDisk(t)
    const store = makeStore(state)
    await store.start(new AbortController().signal)
    const seq = store.sites.reserveSeq(key, NO_SALT, 0)
    store.sites.remember(someVersion(seq))
    await fill((bytes) => store.blobs.put(chunksOf(bytes)), MB)
    await fill((bytes) => store.blobs.put(chunksOf(bytes)), 4096)
    let acknowledged = seq
    const error = await fill(async () => {
      const next = store.sites.reserveSeq(key, NO_SALT, 0)
      for (let i = 0; i < 50; i++) {
        store.sites.remember(someVersion(next, { salt: randomBytes(32), value: randomBytes(900) }))
      }
      acknowledged = next
    }, 1)
    assert.equal((error as { code?: string }).code, 'BTL_ERR_STORE_FULL')
    await store.stop()
    const again = makeStore(state)
    await again.start(new AbortController().signal)
    finallyDo(t, () => again.stop())
    assert.equal(again.sites.latest(key, NO_SALT)?.seq, seq)
    assert.ok(acknowledged >= seq)
    assert.equal((await again.health()).status, 'ok')
  })
})

describe('a store on a disk that went read-only', { skip: needsMount() }, () => {
  it('says so at start, naming the place', async (t) => {
    const state = await smallDisk(t)
    const store = makeStore(state)
    await store.start(new AbortController().signal)
    await store.stop()
    execFileSync('/usr/bin/mount', ['-o', 'remount,ro', state])
    await assert.rejects(makeStore(state).start(new AbortController().signal), {
      code: 'BTL_ERR_STORE_UNWRITABLE',
      message: new RegExp(`cannot write in ${state}`),
    })
  })
})
