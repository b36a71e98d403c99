/**
 * R15: a house whose devices open btlink sites beside ordinary ones, with nothing configured but what
 * the router's DHCP says; and what of that the internet gets to see.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { curl } from '../support/curl.ts'
import type { TestDaemon } from '../support/daemon.ts'
import {
  askedNames,
  createHouse,
  type House,
  INTERNET,
  joinNetwork,
  type Lease,
  startBox,
  startDhcp,
  watchUplink,
  type Witness,
  withoutHouse,
} from '../support/house.ts'
import { chromiumAt, firefoxAt, withoutBrowsers } from '../support/house-browsers.ts'
import { type Internet, ORDINARY, startInternet } from '../support/house-internet.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'

/** What a hook starts would end with the hook. */
function untilTheEnd(): Cleanup {
  const kept: (() => void | Promise<void>)[] = []
  after(async () => {
    for (const fn of kept) await fn()
  })
  return { after: (fn) => void kept.push(fn) }
}

const ORDINARY_TITLE = 'an ordinary site'
/** Names that are nobody's business outside: of content, of the proxy, of devices. */
const OF_THE_HOUSE =
  /(^|\.)(btlink|lan|local|home\.arpa|in-addr\.arpa|ip6\.arpa)$|^wpad(\.|$)|^[^.]+$/

describe('a house', { skip: withoutHouse() || withoutBrowsers() }, () => {
  const all = untilTheEnd()
  let house: House
  let internet: Internet
  let box: TestDaemon
  let witness: Witness
  let leases: [Lease, Lease]
  /** The welcome site. */
  let site: string
  let title: string
  /** Files of the authorities that people trust here: the box's, and that of an ordinary site. */
  let roots: string[]
  /** Tunnels to sites that the box has served. */
  const proxied = async (): Promise<number> => {
    const metrics = (await box.api('/metrics')).text()
    return Number(/^proxy_tunnels_served (\d+)$/m.exec(metrics)?.[1])
  }

  before(async () => {
    house = await createHouse(all)
    internet = await startInternet(all, house)
    await startDhcp(all, house)
    witness = await watchUplink(all, house)
    box = await startBox(all, house)
    const [one, two] = house.laptops
    leases = [await joinNetwork(all, one), await joinNetwork(all, two)]
    site = /http:\/\/(\S+)\.localhost/.exec(box.output())?.[1] ?? ''
    const page = await curl(`http://${site}/`, { netns: one.netns })
    title = /<title>(.*)<\/title>/.exec(page.text())?.[1] ?? ''
    assert.equal(title, 'Your box works')
    const root = join(await tempFolder(all, 'root'), 'root.pem')
    const own = `http://${house.box.address}/.btlink/rootca.pem`
    await writeFile(root, (await curl(own, { netns: one.netns })).body)
    roots = [root, internet.ca]
  })

  it('R12 gives every device an address, the box as name server, and where the proxy script is', () => {
    for (const { address, dns, pac, domain } of leases) {
      assert.match(address, /^10\.77\.0\.1\d\d$/)
      assert.deepEqual(
        { dns, pac, domain },
        { dns: house.box.address, pac: `http://${house.box.address}/wpad.dat`, domain: 'lan' },
      )
    }
    assert.notEqual(leases[0].address, leases[1].address)
  })

  it('E15 opens sites and ordinary ones in Chromium by DNS alone', async (t) => {
    const page = await (await chromiumAt(t, house.laptops[0], { roots })).newPage()
    for (const scheme of ['http', 'https']) {
      const answer = await page.goto(`${scheme}://${site}/`)
      assert.equal(await page.title(), title)
      if (scheme === 'http') assert.equal(answer?.headers()['content-security-policy'], undefined)
      await page.goto(`${scheme}://${ORDINARY}/`)
      assert.equal(await page.title(), ORDINARY_TITLE)
    }
  })

  it('R10 opens them in Chromium by the proxy that WPAD finds', async (t) => {
    const page = await (await chromiumAt(t, house.laptops[1], { roots, pac: 'auto' })).newPage()
    for (const scheme of ['http', 'https']) {
      const answer = await page.goto(`${scheme}://${site}/`)
      assert.equal(await page.title(), title)
      // What only came through the proxy says so.
      const policy = answer?.headers()['content-security-policy']
      assert.equal(policy, 'treat-as-public-address')
      await page.goto(`${scheme}://${ORDINARY}/`)
      assert.equal(await page.title(), ORDINARY_TITLE)
    }
  })

  it('E16 opens them in Firefox by DNS alone', async (t) => {
    const before = await proxied()
    const window = await firefoxAt(t, house.laptops[0], { roots })
    for (const scheme of ['http', 'https']) {
      await window.open(`${scheme}://${site}/`)
      assert.equal(await window.title(), title)
      await window.open(`${scheme}://${ORDINARY}/`)
      assert.equal(await window.title(), ORDINARY_TITLE)
    }
    assert.equal(await proxied(), before)
  })

  it('R12 opens them in Firefox by the proxy script that DHCP named', async (t) => {
    const before = await proxied()
    const pac = { url: leases[1].pac }
    const window = await firefoxAt(t, house.laptops[1], { roots, pac })
    for (const scheme of ['http', 'https']) {
      await window.open(`${scheme}://${site}/`)
      assert.equal(await window.title(), title)
      await window.open(`${scheme}://${ORDINARY}/`)
      assert.equal(await window.title(), ORDINARY_TITLE)
    }
    assert.ok((await proxied()) > before)
  })

  // Last, as it looks back on all of the above.
  it('R15 lets no name of the house out, and no question of a device past the box', async () => {
    const packets = await witness.packets()
    const names = askedNames(packets)
    assert.ok(names.includes(ORDINARY), names.join(', '))
    assert.deepEqual(
      names.filter((name) => OF_THE_HOUSE.test(name)),
      [],
    )
    const questions = packets.filter((line) => line.includes(`> ${INTERNET.dns}.53: `))
    assert.ok(questions.length > 0)
    const elsewhere = packets.filter((line) => / > \S+\.(53|853|5353): /.test(line))
    assert.deepEqual(
      elsewhere.filter((line) => !questions.includes(line)),
      [],
    )
  })
})
