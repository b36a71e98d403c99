import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { publish, SITE } from '../support/neighbours.ts'
import { missing } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { layDown } from '../support/torrents.ts'
import { ARIA2, startAria2 } from '../support/torrent-clients/aria2.ts'
import { layDownNamed, sample } from '../support/torrent-clients/client.ts'
import { DELUGE, startDeluge } from '../support/torrent-clients/deluge.ts'
import { QBITTORRENT, startQbittorrent } from '../support/torrent-clients/qbittorrent.ts'
import { RTORRENT, startRtorrent } from '../support/torrent-clients/rtorrent.ts'
import { loopback, startEngine } from '../engines/torrent/support.ts'

const givers = [
  { name: 'qBittorrent', program: QBITTORRENT, start: startQbittorrent },
  { name: 'Deluge', program: DELUGE, start: startDeluge },
  { name: 'rTorrent', program: RTORRENT, start: startRtorrent },
]
const takers = [
  { name: 'aria2', program: ARIA2, start: startAria2 },
  { name: 'Deluge', program: DELUGE, start: startDeluge },
  { name: 'rTorrent', program: RTORRENT, start: startRtorrent },
]

// rTorrent takes no torrent without a tracker.
const DEAD = ['http://127.0.0.1:1/announce']

// No tracker that answers and no DHT: a magnet link's x.pe is all that one side knows of the other.
describe('a magnet link that names one peer', () => {
  for (const { name, program, start } of givers) {
    it(`brings a torrent from ${name} to the box`, { skip: missing(program) }, async (t) => {
      const folder = await tempFolder(t, 'giver')
      const made = await sample(folder, 'a film', DEAD, { length: 3_000_000 })
      await layDownNamed(folder, made)
      const client = await start(t, { torrents: [made.file], folder })
      await client.done()

      const box = await createTestDaemon(t)
      const magnet = `magnet:?xt=urn:btih:${made.infoHash}&x.pe=127.0.0.1:${client.port}`
      const went = await box.get(
        `localhost:${box.port('http')}`,
        `/go?to=${encodeURIComponent(magnet)}`,
      )
      assert.equal(went.status, 303, went.text())
      const { status, body } = await box.get(`${made.infoHash}-ih.btlink`, '/data/film.bin')
      assert.equal(status, 200, body.subarray(0, 300).toString())
      assert.ok(body.equals(made.files[1]?.bytes ?? Buffer.alloc(0)))
    })
  }

  it('brings a site from the box to qBittorrent', { skip: missing(QBITTORRENT) }, async (t) => {
    const box = await createTestDaemon(t)
    const site = join(await tempFolder(t, 'site'), 'site')
    await writeSite(site, SITE)
    const { infoHash } = await publish(box, site, 'home')
    const folder = await tempFolder(t, 'taker')
    const magnet = `magnet:?xt=urn:btih:${infoHash}&x.pe=127.0.0.1:${box.port('swarm')}`
    const client = await startQbittorrent(t, { torrents: [magnet], folder })
    await client.done()
    for (const [path, content] of Object.entries(SITE))
      assert.deepEqual(await readFile(join(folder, 'site', path)), Buffer.from(content), path)
  })
})

describe('a client that the box dials', () => {
  for (const { name, program, start } of takers) {
    it(`takes a torrent from it: ${name}`, { skip: missing(program) }, async (t) => {
      const made = await sample(await tempFolder(t), 'a film', DEAD, { length: 3_000_000 })
      const folder = join(await tempFolder(t, 'taker'), 'taken')
      await mkdir(folder)
      const client = await start(t, { torrents: [made.file], folder })
      const box = await startEngine(t)
      await layDown(box.layout.torrents, made)
      await box.engine.add(made.info, { verified: true, hints: loopback(client.port) })
      await box.engine.seed(made.infoHash)
      await client.done()
      for (const { path, bytes } of made.files)
        assert.ok((await readFile(join(folder, made.name, ...path))).equals(bytes))
    })
  }
})
