import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { libtorrentLeech, libtorrentSeed, PYTHON } from '../../support/libtorrent.ts'
import { missing, start } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { layDown } from '../../support/torrents.ts'
import { arrived, foreignFolder, seededHere, site, takesFrom } from './foreign.ts'
import { loopback, startEngine } from './support.ts'

const ARIA2 = '/usr/bin/aria2c'
const QBITTORRENT = '/usr/bin/qbittorrent-nox'

describe('libtorrent', { skip: missing(PYTHON) }, () => {
  it('gives us metadata and data', async (t) => {
    const made = site()
    const folder = await tempFolder(t)
    const torrentFile = await foreignFolder(folder, made)
    const peer = await libtorrentSeed(t, torrentFile, folder)
    const box = await startEngine(t)
    await takesFrom(box, made, peer.port)
    const [known] = await box.engine.peers(made.infoHash)
    assert.equal(known?.source, 'hint')
    assert.match(known?.client ?? '', /libtorrent/i)
  })

  it('takes metadata and data from us', async (t) => {
    const made = site()
    const box = await seededHere(t, made)
    const folder = await tempFolder(t)
    const peer = await libtorrentLeech(t, `magnet:?xt=urn:btih:${made.infoHash}`, folder, {
      peers: [`127.0.0.1:${box.port}`],
    })
    await peer.event('finished', undefined, 75_000)
    await arrived(folder)
    const [known] = await box.engine.peers(made.infoHash)
    assert.ok(known === undefined || known.source === 'incoming')
  })
})

describe('aria2', { skip: missing(ARIA2) }, () => {
  const common = ['--enable-dht=false', '--enable-dht6=false', '--bt-enable-lpd=false']

  it('gives us metadata and data', async (t) => {
    const made = site()
    const folder = await tempFolder(t)
    const torrentFile = await foreignFolder(folder, made)
    const port = 20_000 + (process.pid % 20_000)
    start(t, ARIA2, [
      ...common,
      `--listen-port=${port}`,
      '--seed-ratio=0',
      '--check-integrity=true',
      `--dir=${folder}`,
      torrentFile,
    ])
    await takesFrom(await startEngine(t), made, port)
  })
})

describe('qBittorrent', { skip: missing(QBITTORRENT) }, () => {
  it('takes data from us', async (t) => {
    const made = site()
    const box = await startEngine(t)
    await layDown(box.layout.torrents, made)
    const folder = await tempFolder(t)
    const torrentFile = join(folder, 'site.torrent')
    await writeFile(torrentFile, made.torrentFile)
    const port = 23_000 + (process.pid % 20_000)
    const config = join(folder, 'qBittorrent', 'config')
    await mkdir(config, { recursive: true })
    const lines = [
      '[BitTorrent]',
      `Session\\Port=${port}`,
      'Session\\DHTEnabled=false',
      'Session\\LSDEnabled=false',
      'Session\\PeXEnabled=false',
      'Session\\Interface=lo',
      `Session\\DefaultSavePath=${folder}/got`,
      'Session\\AddTorrentStopped=false',
      '[LegalNotice]',
      'Accepted=true',
      '[Network]',
      'PortForwardingEnabled=false',
      '[Preferences]',
      `WebUI\\Port=${port + 1}`,
      'WebUI\\Address=127.0.0.1',
    ]
    await writeFile(join(config, 'qBittorrent.conf'), `${lines.join('\n')}\n`)
    start(t, QBITTORRENT, [`--profile=${folder}`, '--skip-dialog=true', torrentFile])
    await box.engine.add(made.info, { verified: true, hints: loopback(port) })
    await box.engine.seed(made.infoHash)
    await arrived(join(folder, 'got'))
  })
})
