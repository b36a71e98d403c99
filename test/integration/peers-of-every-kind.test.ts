import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { swarmOf } from '../support/box-swarm.ts'
import { CHROMIUM } from '../support/browser.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { household, nameHost, withoutNetns } from '../support/household.ts'
import { PYTHON } from '../support/libtorrent.ts'
import { publish } from '../support/neighbours.ts'
import { missing, output } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { pattern } from '../support/torrents.ts'
import { ARIA2, startAria2 } from '../support/torrent-clients/aria2.ts'
import { chromiumPeer } from '../support/torrent-clients/chromium-peer.ts'
import { QBITTORRENT, startQbittorrent } from '../support/torrent-clients/qbittorrent.ts'
import { until } from '../support/until.ts'

const CURL = '/usr/bin/curl'
const skip = withoutNetns() || missing(CHROMIUM, PYTHON, ARIA2, QBITTORRENT, CURL)
const MEGABYTE = 1_000_000

const SITE = {
  'index.html': '<!doctype html><title>For everyone</title>',
  'sub/ü b.txt': 'umlaut and space',
  'film.bin': Buffer.from(pattern(5 * MEGABYTE, 5)),
  'data/more.bin': Buffer.from(pattern(MEGABYTE, 6)),
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')

async function expectSite(folder: string): Promise<void> {
  for (const [path, content] of Object.entries(SITE))
    assert.ok((await readFile(join(folder, path))).equals(Buffer.from(content)), path)
}

describe('peers of every kind', { skip }, () => {
  // P08: over TCP, over WebRTC and over HTTP, all at the same moment.
  it('take one torrent that the box published', async (t) => {
    const [own, a, q, c, w] = await household(t, 'box', 'a', 'q', 'c', 'w')
    assert.ok(own && a && q && c && w)
    const box = await createTestDaemon(t, {
      ...own,
      // Slow enough that they meet.
      config: {
        swarm: { lan_exempt: false, tcp_upload_limit: '700kB', webrtc_upload_limit: '700kB' },
      },
    })
    const folder = join(await tempFolder(t, 'site'), 'site')
    await writeSite(folder, SITE)
    const { infoHash } = await publish(box, folder, 'home')
    const name = `${infoHash}-ih.btlink`

    // Asked for from another device, so that they name the address it came by.
    const gateway = `http://${own.address}:${box.port('http')}`
    const ask = (path: string, ...more: string[]) =>
      output(CURL, ['-sS', '-f', '-H', `Host: ${name}`, ...more, `${gateway}${path}`], a)
    const info = JSON.parse(await ask('/.btlink/info.json')) as { magnet: string }
    const given = await tempFolder(t, 'given')
    const torrent = join(given, 'site.torrent')
    await ask('/.btlink/site.torrent', '-o', torrent)
    const api = `${own.address}:${box.port('gateway')}`
    const trackers = [
      `http://${api}/announce`,
      `udp://${own.address}:${box.port('tracker')}/announce`,
      `ws://${api}/announce`,
    ]
    const inMagnet = new URL(info.magnet).searchParams.getAll('tr')
    const inTorrent = (await readFile(torrent)).toString('latin1')
    for (const tracker of trackers) {
      assert.ok(inMagnet.includes(tracker), `${tracker} is not in ${info.magnet}`)
      assert.ok(
        inTorrent.includes(`${tracker.length}:${tracker}`),
        `${tracker} is not in the torrent`,
      )
    }

    const page = await chromiumPeer(t, c)
    await nameHost(t, w, name, own.address)
    const saved = (who: string) => join(given, who)
    const takers = {
      aria2: async () => {
        const client = await startAria2(t, { torrents: [torrent], folder: saved('aria2'), ...a })
        await client.done()
        await expectSite(join(saved('aria2'), 'site'))
      },
      qBittorrent: async () => {
        await mkdir(saved('qbt'))
        const client = await startQbittorrent(t, {
          torrents: [torrent],
          folder: saved('qbt'),
          ...q,
        })
        await client.done()
        await expectSite(join(saved('qbt'), 'site'))
      },
      browser: async () => {
        const got = await page.take(info.magnet)
        const expected = Object.entries(SITE).map(([path, content]) => [
          `site/${path}`,
          sha256(content),
        ])
        assert.deepEqual(got, Object.fromEntries(expected))
      },
      webSeed: async () => {
        for (const [path, content] of Object.entries(SITE)) {
          const file = join(saved('web'), path)
          const url = `http://${name}:${box.port('http')}/.btlink/webseed/site/${encodeURI(path)}`
          await output(CURL, ['-sS', '-f', '--create-dirs', '-o', file, url], w)
          assert.ok((await readFile(file)).equals(Buffer.from(content)), path)
        }
      },
    }
    const kinds = async () => (await swarmOf(box, infoHash)).peers.map(({ kind }) => kind)
    const taking = [takers.qBittorrent(), takers.aria2()]
    // They take seconds to come, and a browser would be done by then.
    await until('a TCP peer', async () => (await kinds()).length > 0, { timeoutMs: 30_000 })
    taking.push(takers.browser(), takers.webSeed())
    const together = until('TCP and WebRTC peers at the same time', async () => {
      const now = await kinds()
      return now.includes('webrtc') && now.filter((kind) => kind === 'tcp').length === 2
    })
    const everyone = Promise.all(taking)
    await Promise.all([everyone, together])
  })
})
