/**
 * A01 through a router: a site of a box elsewhere comes by BitTorrent and the DHT alone, and stays in
 * the house when the internet goes.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { curl } from '../support/curl.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { DIG } from '../support/dns-servers.ts'
import {
  createHouse,
  INTERNET,
  joinNetwork,
  startBox,
  startDhcp,
  WAN,
  watchUplink,
  withoutHouse,
} from '../support/house.ts'
import { chromiumAt, withoutBrowsers } from '../support/house-browsers.ts'
import { ORDINARY, startInternet } from '../support/house-internet.ts'
import { libtorrentNode, PYTHON } from '../support/libtorrent.ts'
import { publish, SITE } from '../support/neighbours.ts'
import { missing, run } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const skip = withoutHouse() || withoutBrowsers() || missing(PYTHON, DIG)

describe('a site of a box elsewhere', { skip }, () => {
  it('A01 comes by swarm and DHT alone, and is still there when the internet is not', async (t) => {
    const house = await createHouse(t)
    const { internet } = house
    await startInternet(t, house)
    await startDhcp(t, house)
    const node = await libtorrentNode(t, { netns: internet.netns, host: INTERNET.dht })
    const bootstrap = [`${INTERNET.dht}:${node.port}`]
    const witness = await watchUplink(t, house)
    const [away, box] = await Promise.all([
      createTestDaemon(t, {
        netns: internet.netns,
        address: INTERNET.gateway,
        bootstrap,
        config: { dns: { enabled: false } },
      }),
      startBox(t, house, { bootstrap }),
    ])
    const [laptop] = house.laptops
    const { netns } = laptop
    await joinNetwork(t, laptop)
    const folder = join(await tempFolder(t, 'site'), 'site')
    await writeSite(folder, SITE)
    const { host } = await publish(away, folder, 'home')

    await until('the site in the house', async () => {
      const answer = await curl(`http://${host}/`, { netns })
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text()}`)
      return true
    })
    const chromium = await chromiumAt(t, laptop)
    const page = await chromium.newPage()
    await page.goto(`http://${host}/`)
    assert.equal(await page.title(), 'First light')
    const color = await page.evaluate(`getComputedStyle(document.querySelector('#p')).color`)
    assert.equal(color, 'rgb(1, 2, 3)')
    const big = await curl(`http://${host}/big.bin`, { netns })
    assert.deepEqual(big.body, SITE['big.bin'])
    assert.equal((await curl(`http://${ORDINARY}/`, { netns })).status, 200)

    await house.uplink('down')
    const again = await curl(`http://${host}/sub/`, { netns })
    assert.equal(again.status, 200, again.text())
    await page.goto(`http://${host}/sub/`)
    assert.equal(await page.title(), 'Below')
    // Its address is good for 2 s, and whoever could say more is out of reach.
    const stale = await until('an address after its time', async () => {
      const { stdout } = await run(DIG, ['+tries=1', '+time=3', ORDINARY, 'A'], { netns })
      return stdout.includes('EDE: 3 (Stale Answer)') && stdout
    })
    assert.ok(stale.includes(INTERNET.web))
    await house.uplink('up')
    await until('a fresh address', async () => {
      const { stdout } = await run(DIG, ['+tries=1', '+time=3', ORDINARY, 'A'], { netns })
      return stdout.includes(INTERNET.web) && !stdout.includes('Stale')
    })

    // Whatever passed between the two boxes.
    const between = ['host', INTERNET.gateway, 'and', '(udp or tcp)']
    const packets = await witness.packets(...between)
    const doors = [
      ...[away.port('dht'), away.port('swarm')].map((port) => `${INTERNET.gateway}.${port}`),
      ...[box.port('dht'), box.port('swarm')].map((port) => `${WAN}.${port}`),
    ]
    const isOurs = (line: string) => doors.some((door) => line.includes(` ${door}`))
    assert.deepEqual(
      packets.filter((line) => !isOurs(line)),
      [],
    )
    const bytes = (await witness.packets('-A', ...between)).join('\n')
    assert.ok(bytes.length > SITE['big.bin'].length, 'the content did not pass this wire')
    assert.match(bytes, /BitTorrent protocol/)
    assert.doesNotMatch(bytes, /HTTP\/1\.[01]/)
  })
})
