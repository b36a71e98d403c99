import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { libtorrentLeech, libtorrentSeed, makeTorrent, PYTHON } from './libtorrent.ts'
import { missing } from './processes.ts'
import { tempFolder } from './temp.ts'

describe('the libtorrent peer of the tests', { skip: missing(PYTHON) }, () => {
  it('downloads from itself by magnet link', async (t) => {
    const folder = await tempFolder(t)
    const site = join(folder, 'site')
    await mkdir(site)
    await writeFile(join(site, 'a.bin'), Buffer.alloc(300_000, 7))
    const torrent = join(folder, 'site.torrent')
    const facts = await makeTorrent(site, torrent, { pieceLength: 16_384 })
    const seed = await libtorrentSeed(t, torrent, folder)
    const leech = await libtorrentLeech(
      t,
      `magnet:?xt=urn:btih:${facts.infohash}`,
      join(folder, 'copy'),
      { host: '127.0.0.2', peers: [`127.0.0.1:${seed.port}`] },
    )
    await leech.event('finished')
    assert.deepEqual(
      await readFile(join(folder, 'copy', 'site', 'a.bin')),
      Buffer.alloc(300_000, 7),
    )
  })
})
