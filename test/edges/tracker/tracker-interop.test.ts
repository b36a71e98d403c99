import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { libtorrentLeech, PYTHON } from '../../support/libtorrent.ts'
import { missing, start } from '../../support/processes.ts'
import { finallyDo, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { arrived, foreignFolder, site } from '../../engines/torrent/foreign.ts'
import { announce, HASH, peersOf, startRoom } from './room.ts'

const ARIA2 = '/usr/bin/aria2c'

describe('clients that meet through the tracker', { skip: missing(ARIA2, PYTHON) }, () => {
  for (const [seeder, leecher] of [
    ['http', 'udp'],
    ['udp', 'http'],
  ] as const) {
    it(`K07 aria2 gives to libtorrent, met over ${seeder} and ${leecher}`, async (t) => {
      const made = site()
      const room = await startRoom(t, { config: { access: 'open' } })
      const urls = {
        http: `http://127.0.0.1:${room.port}/announce`,
        udp: `udp://127.0.0.1:${room.tracker.udpPort}/announce`,
      }
      const source = await tempFolder(t)
      const torrentFile = await foreignFolder(source, made)
      const dhtPort = 26_000 + (process.pid % 20_000)
      start(t, ARIA2, [
        // aria2 asks trackers over UDP from the socket of its DHT.
        `--enable-dht=${seeder === 'udp'}`,
        '--enable-dht6=false',
        `--dht-listen-port=${dhtPort}`,
        `--dht-file-path=${source}/dht.dat`,
        '--bt-enable-lpd=false',
        '--enable-peer-exchange=false',
        `--listen-port=${dhtPort + 1}`,
        '--seed-ratio=0',
        '--check-integrity=true',
        `--bt-tracker=${urls[seeder]}`,
        `--dir=${source}`,
        torrentFile,
      ])
      await until('aria2 to announce', () => room.tracker.stats()['client_aria2'] === 1)
      const folder = await tempFolder(t)
      const magnet = `magnet:?xt=urn:btih:${made.infoHash}&tr=${encodeURIComponent(urls[leecher])}`
      const peer = await libtorrentLeech(t, magnet, folder)
      await peer.event('finished', undefined, 20_000)
      await arrived(folder)
      await until('libtorrent to say that it completed', async () => {
        const seen = await announce(room, { hash: made.infoHash, port: 9 })
        return seen.get('complete') === 2 && seen.get('downloaded') === 1
      })
    })
  }
})

interface Update {
  announce: string
  complete: number
  incomplete: number
}

interface NodeClient {
  start(state: object): void
  complete(state: object): void
  scrape(): void
  stop(): void
  destroy(): void
  on(event: string, heard: (what: unknown) => void): void
  once(event: string, heard: (what: unknown) => void): void
}

describe('bittorrent-tracker’s client', () => {
  for (const transport of ['http', 'udp'] as const) {
    it(`K07 announces, completes, scrapes and leaves over ${transport}`, async (t) => {
      const room = await startRoom(t, { held: [[HASH, 'part']] })
      const { default: Client } = (await import('bittorrent-tracker')) as unknown as {
        default: new (options: object) => NodeClient
      }
      const url =
        transport === 'http'
          ? `http://127.0.0.1:${room.port}/announce`
          : `udp://127.0.0.1:${room.tracker.udpPort}`
      const client = new Client({
        infoHash: HASH,
        peerId: Buffer.from('-WW0208-123456789012').toString('hex'),
        announce: [url],
        port: 6001,
      })
      finallyDo(t, () => client.destroy())
      const complaints: unknown[] = []
      client.on('error', (error) => complaints.push(error))
      client.on('warning', (error) => complaints.push(error))
      const next = async (event: string): Promise<Update> => {
        const [update] = (await once(client as never, event)) as [Update]
        return update
      }
      await announce(room, { port: 6002, id: '-XX0000-otherotherot' })
      const peer = next('peer')
      client.start({ uploaded: 0, downloaded: 0, left: 100 })
      assert.equal(await peer, '127.0.0.1:6002')
      const completed = next('update')
      client.complete({ uploaded: 0, downloaded: 100, left: 0 })
      assert.equal((await completed).complete, 1)
      const scraped = next('scrape')
      client.scrape()
      const { complete, incomplete } = await scraped
      assert.deepEqual({ complete, incomplete }, { complete: 1, incomplete: 2 })
      const stopped = next('update')
      client.stop()
      assert.equal((await stopped).complete, 0)
      assert.deepEqual(peersOf(await announce(room, { port: 6003, id: '-XX0000-otherotherxx' })), [
        '127.0.0.1:6002',
      ])
      assert.deepEqual(complaints, [])
    })
  }
})
