/** What every SiteStore and KeyStore does. */
import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { describe, it } from 'node:test'
import { fromHex, toHex, utf8 } from '../../src/base/bytes.ts'
import { infoHash, type PublicKey, publicKey } from '../../src/base/hashes.ts'
import type { Site, SiteVersion, Store } from '../../src/base/ports/store.ts'
import type { Cleanup } from '../support/temp.ts'

export const someKey = (byte: number): PublicKey => publicKey(toHex(new Uint8Array(32).fill(byte)))

export function someVersion(seq: number, more: Partial<SiteVersion> = {}): SiteVersion {
  return {
    publicKey: someKey(1),
    salt: new Uint8Array(0),
    seq,
    value: utf8('d2:ih20:aaaaaaaaaaaaaaaaaaaae'),
    signature: new Uint8Array(64).fill(seq % 256),
    infoHash: infoHash('61'.repeat(20)),
    firstSeenAt: 1000,
    confirmedAt: 1000,
    ...more,
  }
}

export function siteStoreCompliance(what: string, open: (t: Cleanup) => Promise<Store>): void {
  const key = someKey(1)
  const salt = new Uint8Array(0)

  describe(`${what} as a site store`, () => {
    it('gives a site back as it was saved, under key and salt', async (t) => {
      const { sites } = await open(t)
      const site: Site = {
        publicKey: key,
        salt: Uint8Array.of(0, 255, 58),
        keyName: 'main',
        title: 'Täst',
        folder: '/srv/site',
        watched: true,
        pinned: false,
        lastVisitedAt: 7,
      }
      sites.saveSite(site)
      assert.deepEqual(sites.site(key, site.salt), site)
      assert.equal(sites.site(key, salt), undefined)
      const bare: Site = { publicKey: key, salt, watched: false, pinned: true }
      sites.saveSite(bare)
      assert.deepEqual(sites.site(key, salt), bare)
      assert.equal(sites.sites().length, 2)
    })

    it('notes visits without touching the rest', async (t) => {
      const { sites } = await open(t)
      sites.visited(key, salt, 5)
      assert.deepEqual(sites.site(key, salt)?.lastVisitedAt, 5)
      sites.saveSite({ publicKey: key, salt, watched: false, pinned: true })
      sites.visited(key, salt, 9)
      assert.deepEqual(sites.site(key, salt), {
        publicKey: key,
        salt,
        watched: false,
        pinned: true,
        lastVisitedAt: 9,
      })
    })

    it('keeps the history newest first, of one seq the first', async (t) => {
      const { sites } = await open(t)
      assert.equal(sites.remember(someVersion(2)), true)
      assert.equal(sites.remember(someVersion(5)), true)
      assert.equal(sites.remember(someVersion(3)), true)
      const other = someVersion(5, { infoHash: infoHash('62'.repeat(20)) })
      assert.equal(sites.remember(other), false)
      assert.deepEqual(
        sites.versions(key, salt).map(({ seq }) => seq),
        [5, 3, 2],
      )
      assert.deepEqual(sites.latest(key, salt), someVersion(5))
      assert.equal(sites.latest(key, utf8('salt')), undefined)
    })

    it('notes confirmations, never an earlier one', async (t) => {
      const { sites } = await open(t)
      sites.remember(someVersion(1))
      sites.confirmed(key, salt, 1, 5000)
      sites.confirmed(key, salt, 1, 4000)
      assert.equal(sites.latest(key, salt)?.confirmedAt, 5000)
    })

    it('reserves a seq above all known, reserved and seen', async (t) => {
      const { sites } = await open(t)
      assert.equal(sites.reserveSeq(key, salt, 0), 1)
      assert.equal(sites.reserveSeq(key, salt, 0), 2)
      assert.equal(sites.reserveSeq(key, salt, 41), 42)
      sites.remember(someVersion(100))
      assert.equal(sites.reserveSeq(key, salt, 3), 101)
      const large = 2 ** 52
      assert.equal(sites.reserveSeq(key, salt, large), large + 1)
      assert.equal(sites.reserveSeq(key, utf8('other'), 0), 1)
    })

    it('never gives a seq again after the site was removed', async (t) => {
      const { sites } = await open(t)
      const seq = sites.reserveSeq(key, salt, 10)
      sites.saveSite({ publicKey: key, salt, watched: false, pinned: false })
      sites.removeSite(key, salt)
      assert.equal(sites.site(key, salt), undefined)
      assert.deepEqual(sites.versions(key, salt), [])
      assert.ok(sites.reserveSeq(key, salt, 0) > seq)
    })

    it('keeps pins of torrents with their first time', async (t) => {
      const { sites } = await open(t)
      const hash = infoHash('ab'.repeat(20))
      sites.pinTorrent(hash, undefined, 1)
      sites.pinTorrent(hash, 'title', 2)
      assert.deepEqual(sites.pinnedTorrents(), [{ infoHash: hash, title: 'title', addedAt: 1 }])
      sites.unpinTorrent(hash)
      assert.deepEqual(sites.pinnedTorrents(), [])
    })
  })

  describe(`${what} as a key store`, () => {
    // RFC 8032 section 7.1, test 1.
    const seed = fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')
    const known = publicKey('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')

    it('makes a key once, and gives the same one ever after', async (t) => {
      const { keys } = await open(t)
      const made = await keys.create('main')
      assert.equal(await keys.ensure('main'), made)
      assert.equal(await keys.publicKey('main'), made)
      assert.deepEqual(await keys.list(), [{ name: 'main', publicKey: made }])
      await assert.rejects(keys.create('main'), { code: 'BTL_ERR_STORE_KEY_EXISTS' })
      assert.equal(await keys.publicKey('other'), undefined)
    })

    it('imports and exports a seed', async (t) => {
      const { keys } = await open(t)
      assert.equal(await keys.importSeed('rfc', seed), known)
      assert.equal(toHex(await keys.exportSeed('rfc')), toHex(seed))
      await assert.rejects(keys.exportSeed('other'), { code: 'BTL_ERR_STORE_NO_KEY' })
    })

    it('signs what the public key verifies', async (t) => {
      const { keys } = await open(t)
      await keys.importSeed('rfc', seed)
      const message = utf8('message')
      const signature = await keys.sign('rfc', message)
      const spki = Buffer.concat([fromHex('302a300506032b6570032100'), fromHex(known)])
      const verifier = createPublicKey({ key: spki, format: 'der', type: 'spki' })
      assert.equal(signature.length, 64)
      assert.ok(verify(null, message, verifier, signature))
      await assert.rejects(keys.sign('other', message), { code: 'BTL_ERR_STORE_NO_KEY' })
    })
  })
}
