import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createTestDaemon } from '../support/daemon.ts'
import { type Box, household, nameHost, withoutNetns } from '../support/household.ts'
import { libtorrentLeech, PYTHON } from '../support/libtorrent.ts'
import { libtorrentSite, SITE, smallDht } from '../support/neighbours.ts'
import { missing, output, run, start } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const ARIA2 = '/usr/bin/aria2c'
const TRANSMISSION = '/usr/bin/transmission-cli'
const skip = withoutNetns() || missing(PYTHON, ARIA2, TRANSMISSION)

// B22: the torrent names no peer and no tracker; all bytes come from the gateway.
describe('clients with nothing but the web seed', { skip }, () => {
  const cleanups: (() => void | Promise<void>)[] = []
  const t = { after: (fn: () => void | Promise<void>) => void cleanups.push(fn) }
  let house: Box
  let folder: string
  let torrent: string

  before(async () => {
    const [only] = await household(t, 'w')
    assert.ok(only)
    house = only
    folder = await tempFolder(t, 'webseed')
    const bootstrap = await smallDht(t, house.netns)
    const site = await libtorrentSite(t, bootstrap, house.netns)
    const box = await createTestDaemon(t, { netns: house.netns, bootstrap })
    const host = `${site.host}.localhost:${box.port('http')}`
    await until('the site', async () => (await box.get(host)).status === 200)
    const { body, status } = await box.get(host, '/.btlink/site.torrent')
    assert.equal(status, 200)
    assert.match(body.toString('latin1'), /8:url-list/)
    torrent = join(folder, 'site.torrent')
    await writeFile(torrent, body)
    // What the house's resolver does for them: the clients know no name below localhost.
    await nameHost(t, house, `${site.host}.localhost`, '127.0.0.1')
  })
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  })

  const expectSite = async (saved: string) => {
    for (const [path, content] of Object.entries(SITE)) {
      assert.deepEqual(await readFile(join(saved, path)), Buffer.from(content), path)
    }
  }

  it('downloads with aria2', async () => {
    const saved = join(folder, 'aria2')
    await output(
      ARIA2,
      [
        '--enable-dht=false',
        '--bt-enable-lpd=false',
        '--enable-peer-exchange=false',
        '--seed-time=0',
        '--quiet',
        `--dir=${saved}`,
        torrent,
      ],
      house,
    )
    await expectSite(join(saved, 'site'))
  })

  it('downloads with libtorrent', async (test) => {
    const saved = join(folder, 'libtorrent')
    const leech = await libtorrentLeech(test, torrent, saved, { netns: house.netns })
    await leech.event('finished')
    await expectSite(join(saved, 'site'))
  })

  it('downloads with Transmission', async (test) => {
    const saved = join(folder, 'transmission')
    const home = join(folder, 'transmission-home')
    await mkdir(saved)
    const args = ['--config-dir', home, '--no-portmap', '-w', saved, '-p', '0', torrent]
    const client = start(test, TRANSMISSION, args, {
      ...house,
      env: { ...process.env, HOME: home },
    })
    await until('Transmission to have all', async () => {
      await expectSite(join(saved, 'site'))
      return true
    })
    await client.stop()
  })

  it('downloads with webtorrent', async () => {
    const saved = join(folder, 'webtorrent')
    const script = `
      import WebTorrent from 'webtorrent'
      const client = new WebTorrent({ dht: false, tracker: false, lsd: false, utp: false, natUpnp: false, natPmp: false })
      client.add(process.argv[1], { path: process.argv[2] }, (torrent) => {
        torrent.on('done', () => process.exit(0))
        if (torrent.done) process.exit(0)
      })`
    const { code, stderr } = await run(
      process.execPath,
      ['--input-type=module', '-e', script, torrent, saved],
      house,
    )
    assert.equal(code, 0, stderr)
    await expectSite(join(saved, 'site'))
  })
})
