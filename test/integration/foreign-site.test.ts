import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { browser, CHROMIUM } from '../support/browser.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { PYTHON } from '../support/libtorrent.ts'
import { COMPILER, LIBTORRENT_HEADERS, ltGet, ltPut } from '../support/lt-bep46.ts'
import { base36, libtorrentSite, publish, SITE, smallDht } from '../support/neighbours.ts'
import { missing } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const skip = missing(PYTHON, COMPILER, LIBTORRENT_HEADERS, CHROMIUM, '/usr/bin/curl')

describe('a site made with libtorrent alone', { skip }, () => {
  it('opens by name in curl and in Chromium', async (t) => {
    const bootstrap = await smallDht(t)
    const [node = ''] = bootstrap
    // Found through the DHT like any peer: nobody tells the box its address.
    const { infoHash } = await libtorrentSite(t, bootstrap)
    const { key, stored } = await ltPut({
      bootstrap: node,
      listen: '127.0.0.15:0',
      infoHash,
      seed: randomBytes(32).toString('hex'),
    })
    assert.ok(stored > 0)

    const box = await createTestDaemon(t, { bootstrap })
    const name = `${base36(key)}-pk.btlink`
    const page = await until(name, async () => {
      const answer = await box.get(name)
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text()}`)
      return answer
    })
    assert.equal(page.text(), SITE['index.html'])
    assert.equal(page.headers['x-btlink-infohash'], infoHash)
    assert.equal(page.headers['x-btlink-seq'], '1')
    const host = `${name}.localhost:${box.port('http')}`
    assert.deepEqual((await box.get(host, '/big.bin')).body, SITE['big.bin'])
    const tab = await (await browser(t)).newPage()
    await tab.goto(`http://${host}/`)
    assert.equal(await tab.title(), 'First light')
  })

  it('is found by libtorrent where a box published it', async (t) => {
    const bootstrap = await smallDht(t)
    const [node = ''] = bootstrap
    const box = await createTestDaemon(t, { bootstrap })
    const folder = join(await tempFolder(t, 'site'), 'site')
    await writeSite(folder, SITE)
    const site = await publish(box, folder, 'home')
    const found = await ltGet({
      bootstrap: node,
      listen: '127.0.0.17:0',
      key: site.publicKey,
    })
    assert.deepEqual(found, { ih: site.infoHash, seq: site.seq })
  })
})
