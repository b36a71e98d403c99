/** A whole box and the link records of ordinary domains: its resolver, its proxy, its swarm. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { curl } from '../support/curl.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { KDIG, withoutServers } from '../support/dns-servers.ts'
import { libtorrentSeed, makeTorrent, PYTHON } from '../support/libtorrent.ts'
import { startLinkZone, txt } from '../support/link-zone.ts'
import { publish, SITE, smallDht } from '../support/neighbours.ts'
import { missing, output } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const FOREIGN = {
  'index.html': '<title>From one peer</title>',
  'big.bin': Buffer.alloc(300_000, 7),
}

/** A torrent that nobody knows of but whoever reads its magnet. */
async function loneSeed() {
  const folder = await tempFolder(all, 'lone')
  await writeSite(join(folder, 'lone'), FOREIGN)
  const torrent = join(folder, 'lone.torrent')
  const { infohash } = await makeTorrent(join(folder, 'lone'), torrent)
  const { port } = await libtorrentSeed(all, torrent, folder, { host: '127.0.0.16' })
  return { infoHash: infohash, address: `127.0.0.16:${port}` }
}

describe('a box', { skip: missing(PYTHON, '/usr/bin/curl') || withoutServers() }, async () => {
  const bootstrap = await smallDht(all)
  const owner = await createTestDaemon(all, { bootstrap })
  const folder = join(await tempFolder(all, 'site'), 'site')
  await writeSite(folder, SITE)
  const site = await publish(owner, folder, 'home')
  const lone = await loneSeed()
  const server = await startLinkZone(all, [
    `_btlink.lone ${txt(`magnet:?xt=urn:btih:${lone.infoHash}&x.pe=${lone.address}`)}`,
    `_btlink.home ${txt(`magnet:?xs=urn:btpk:${site.publicKey}`)}`,
    '_btlink.www CNAME _btlink.home',
    'home A 192.0.2.8',
    'plain A 192.0.2.9',
  ])
  const box = await createTestDaemon(all, {
    bootstrap,
    config: {
      upstream: { servers: [`127.0.0.1:${server.port}`] },
      dns: {
        port: 0,
        link_records: [`ours.link=${site.host}`, `nas.lan=${site.infoHash}-ih.btlink`],
        link_check: true,
        intercept_links: true,
      },
      pki: { link_domains: ['home.link'] },
    },
  })
  const dig = async (name: string, type = 'A') =>
    (await output(KDIG, ['@127.0.0.1', '-p', String(box.port('dns')), '+short', name, type])).trim()
  const door = `http://127.0.0.1:${box.port('http')}`
  const ca = join(await tempFolder(all, 'ca'), 'ca.pem')

  it('opens the site of a domain through its proxy and straight (D01, D03, D11, D12, D14)', async () => {
    const page = await until('the site', async () => {
      const answer = await box.get('home.link')
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text()}`)
      return answer
    })
    assert.equal(page.text(), SITE['index.html'])
    assert.equal(page.headers['x-btlink-infohash'], site.infoHash)
    for (const domain of ['home.link', 'www.link']) {
      const answer = await curl(`http://${domain}/big.bin`, { more: ['-x', door] })
      assert.deepEqual(answer.body, SITE['big.bin'])
    }
  })

  it('finds a torrent by the one peer that the record names (D02, D15)', async () => {
    const answer = await box.get('lone.link')
    assert.equal(answer.status, 200, answer.text())
    assert.equal(answer.text(), FOREIGN['index.html'])
    assert.deepEqual((await box.get('lone.link', '/big.bin')).body, FOREIGN['big.bin'])
  })

  it('serves https for the domains its owner named, with their own root (C07, D13)', async () => {
    const root = await curl(`${door}/.btlink/rootca.pem?realm=links`)
    assert.equal(root.status, 200, root.text())
    await writeFile(ca, root.body)
    const answer = await curl('https://home.link/', {
      more: ['--suppress-connect-headers', '-x', door, '--cacert', ca],
    })
    assert.equal(answer.text(), SITE['index.html'])
  })

  it('opens what the household wrote, without asking anybody (R08)', async () => {
    assert.equal((await box.get('ours.link')).text(), SITE['index.html'])
    assert.equal((await box.get('nas.lan')).text(), SITE['index.html'])
    assert.equal(await dig('_btlink.ours.link', 'TXT'), `"${site.host}"`)
    assert.equal(await dig('_btlink.home.link', 'TXT'), `"magnet:?xs=urn:btpk:${site.publicKey}"`)
  })

  it('tells proxy scripts which domains have a site (C14)', async () => {
    assert.equal(await dig('lone.link._btlink.btlink'), '127.0.0.1')
    assert.equal(await dig('ours.link._btlink.btlink'), '127.0.0.1')
    assert.equal(await dig('plain.link._btlink.btlink'), '')
  })

  it('is the address of domains that have a site, where that is turned on (R09)', async () => {
    assert.equal(await dig('home.link'), '127.0.0.1')
    assert.equal(await dig('plain.link'), '192.0.2.9')
  })

  it('says on the command line where a domain leads', async () => {
    const { stdout } = await box.cli('resolve', 'home.link')
    assert.match(
      stdout,
      new RegExp(`^domain +home\\.link\nname +${site.host}\ninfohash +${site.infoHash}`),
    )
    const none = await box.cli('resolve', 'plain.link')
    assert.notEqual(none.code, 0)
    assert.match(none.stderr, /_btlink\.plain\.link/)
  })

  it('counts what it asked, and is well', async () => {
    const metrics = (await box.api('/metrics')).text()
    assert.match(metrics, /links_found[^\n]* [1-9]/)
    const { components } = (await box.api('/api/health')).json() as {
      components: Record<string, { status: string }>
    }
    assert.equal(components['links']?.status, 'ok')
    const none = await box.get('plain.link')
    assert.equal(none.status, 404)
    assert.match(none.text(), /_btlink\.plain\.link/)
  })
})
