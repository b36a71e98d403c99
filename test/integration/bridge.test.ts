import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openMagnet, swarmOf } from '../support/box-swarm.ts'
import { CHROMIUM } from '../support/browser.ts'
import { createTestDaemon } from '../support/daemon.ts'
import { household, withoutNetns } from '../support/household.ts'
import { libtorrentLeech, libtorrentSeed, PYTHON } from '../support/libtorrent.ts'
import { missing } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { pattern } from '../support/torrents.ts'
import { chromiumPeer } from '../support/torrent-clients/chromium-peer.ts'
import { layDownNamed, sample } from '../support/torrent-clients/client.ts'
import { until } from '../support/until.ts'

const skip = withoutNetns() || missing(CHROMIUM, PYTHON, '/usr/bin/curl')
const MEGABYTE = 1_000_000
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

// P09: browsers and TCP peers meet in the box, and nowhere else.
describe('the box between a browser and a TCP peer', { skip }, () => {
  it('brings a browser what only the TCP peer has', async (t) => {
    const [own, s, c] = await household(t, 'box', 's', 'c')
    assert.ok(own && s && c)
    const folder = await tempFolder(t, 'foreign')
    const made = await sample(folder, 'foreign', [], { length: 3 * MEGABYTE })
    await layDownNamed(folder, made)
    const seed = await libtorrentSeed(t, made.file, folder, {
      netns: s.netns,
      host: s.address,
      upLimit: MEGABYTE / 2,
    })
    const box = await createTestDaemon(t, own)
    // Before the box has anything: it is ready when the first piece comes.
    const page = await chromiumPeer(t, c)
    const from = `magnet:?xt=urn:btih:${made.infoHash}&x.pe=${s.address}:${seed.port}`
    await openMagnet(box, from, made.infoHash)
    await box.json('pin', made.infoHash)

    const tracker = `ws://${own.address}:${box.port('gateway')}/announce`
    const magnet = `magnet:?xt=urn:btih:${made.infoHash}&tr=${encodeURIComponent(tracker)}`
    const got = page.take(magnet)
    // While the box itself still waits for the rest.
    await until(
      'pieces in the page',
      async () => {
        const { status, peers } = await swarmOf(box, made.infoHash)
        const kinds = new Set(peers.map(({ kind }) => kind))
        const [torrent] = await page.torrents()
        const wires = torrent?.wires.every(({ type }) => type === 'webrtc')
        assert.ok(wires !== false, 'the page has a peer that is no browser and not the box')
        return (torrent?.progress ?? 0) > 0 && !status.complete && kinds.size === 2
      },
      { timeoutMs: 20_000 },
    )
    const expected = made.files.map(({ path, bytes }) => [
      ['foreign', ...path].join('/'),
      sha256(bytes),
    ])
    assert.deepEqual(await got, Object.fromEntries(expected))
  })

  it('brings the TCP peer what only a browser has', async (t) => {
    const [own, l, c] = await household(t, 'box', 'l', 'c')
    assert.ok(own && l && c)
    const box = await createTestDaemon(t, { ...own, config: { tracker: { access: 'open' } } })
    const page = await chromiumPeer(t, c)
    const tracker = `${own.address}:${box.port('gateway')}/announce`
    const bytes = pattern(3 * MEGABYTE, 9)
    const made = await page.give('from the page.bin', bytes, [`ws://${tracker}`])
    const magnet = (scheme: string) =>
      `magnet:?xt=urn:btih:${made.infoHash}&tr=${encodeURIComponent(`${scheme}://${tracker}`)}`
    await openMagnet(box, magnet('ws'), made.infoHash)
    await box.json('pin', made.infoHash)
    const folder = await tempFolder(t, 'taken')
    const leech = await libtorrentLeech(t, magnet('http'), folder, {
      netns: l.netns,
      host: l.address,
    })
    await leech.event('finished', undefined, 60_000)
    assert.ok((await readFile(join(folder, 'from the page.bin'))).equals(bytes))
  })
})
