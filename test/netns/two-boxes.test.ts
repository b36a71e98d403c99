import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { browser, CHROMIUM } from '../support/browser.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { household, withoutNetns } from '../support/household.ts'
import { libtorrentNode, PYTHON } from '../support/libtorrent.ts'
import { base36, publish, SITE } from '../support/neighbours.ts'
import { missing, output, start } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const TCPDUMP = '/usr/bin/tcpdump'
const skip = withoutNetns() || missing(CHROMIUM, TCPDUMP, PYTHON)

// A01 of the features: the main job, end to end.
describe('two boxes in one network', { skip }, () => {
  it('browse by name what the other published, over DHT and swarm alone', async (t) => {
    const [boxA, boxB, boxN] = await household(t, 'a', 'b', 'n')
    assert.ok(boxA && boxB && boxN)
    const capture = join(await tempFolder(t, 'capture'), 'a.pcap')
    const tcpdump = start(t, TCPDUMP, ['-i', 'eth0', '-U', '-Z', 'root', '-w', capture], {
      netns: boxA.netns,
    })
    const node = await libtorrentNode(t, { netns: boxN.netns, host: boxN.address })
    const bootstrap = [`${boxN.address}:${node.port}`]
    const a = await createTestDaemon(t, { ...boxA, bootstrap })
    const b = await createTestDaemon(t, { ...boxB, bootstrap })
    const folder = join(await tempFolder(t, 'site'), 'site')
    await writeSite(folder, SITE)

    const { host, publicKey } = await publish(a, folder, 'home')
    assert.equal(host, `${base36(publicKey)}-pk.btlink`)

    const page = await until('the page on box b', async () => {
      const answer = await b.get(host)
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text()}`)
      return answer
    })
    assert.equal(page.text(), SITE['index.html'])
    assert.equal((await b.get(`${host}.localhost:${b.port('http')}`)).text(), SITE['index.html'])
    assert.deepEqual((await b.get(host, '/big.bin')).body, SITE['big.bin'])

    const chromium = await browser(t, { netns: boxB.netns })
    const tab = await chromium.newPage()
    await tab.goto(`http://${host}.localhost:${b.port('http')}/`)
    assert.equal(await tab.title(), 'First light')
    const color = await tab.evaluate(`getComputedStyle(document.querySelector('#p')).color`)
    assert.equal(color, 'rgb(1, 2, 3)')
    await tab.goto(`http://${host}.localhost:${b.port('http')}/sub/`)
    assert.equal(await tab.title(), 'Below')

    // A23 and A17: each torrent is an origin of its own; salted names share their key's cookies.
    const { infoHash } = await publish(a, folder, 'home', '--salt', 'two')
    await tab.evaluate(`localStorage.setItem('seen', 'home')`)
    await tab.evaluate(`document.cookie = 'all=1; domain=${host}.localhost; path=/'`)
    await until('the salted name on box b', async () => (await b.get(`two.${host}`)).status === 200)
    await tab.goto(`http://two.${host}.localhost:${b.port('http')}/`)
    assert.equal(await tab.evaluate(`localStorage.getItem('seen')`), null)
    assert.equal(await tab.evaluate('document.cookie'), 'all=1')
    await tab.goto(`http://${infoHash}-ih.btlink.localhost:${b.port('http')}/`)
    assert.equal(await tab.evaluate(`localStorage.getItem('seen')`), null)
    assert.equal(await tab.evaluate('document.cookie'), '')

    await tcpdump.stop()
    const seen = await output(TCPDUMP, ['-nn', '-A', '-r', capture], { timeoutMs: 60_000 })
    assert.ok((await readFile(capture)).length > 700_000, 'the content did not pass this wire')
    assert.match(seen, /BitTorrent protocol/)
    assert.doesNotMatch(seen, /HTTP\/1\.[01]/)
    const ports = new Set([...seen.matchAll(/ IP 10\.77\.0\.\d\.(\d+) > /g)].map((m) => m[1]))
    for (const [box, name] of [[a, 'a'] as const, [b, 'b'] as const]) {
      for (const listener of ['http', 'gateway']) {
        assert.ok(!ports.has(String(box.port(listener))), `${listener} of ${name} was used`)
      }
    }
  })
})
