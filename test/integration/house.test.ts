/**
 * R15: a house whose devices open btlink sites beside ordinary ones, with nothing configured but what
 * the router's DHCP says; and what of that the internet gets to see.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { curl } from '../support/curl.ts'
import { askedNames, INTERNET, withoutHouse } from '../support/house.ts'
import { chromiumAt, firefoxAt, withoutBrowsers } from '../support/house-browsers.ts'
import { ORDINARY, ORDINARY_TITLE } from '../support/house-internet.ts'
import { untilTheEnd, WELCOME_TITLE, type WholeHouse, wholeHouse } from '../support/house-whole.ts'

/** Names that are nobody's business outside: of content, of the proxy, of devices. */
const OF_THE_HOUSE =
  /(^|\.)(btlink|lan|local|home\.arpa|in-addr\.arpa|ip6\.arpa)$|^wpad(\.|$)|^[^.]+$/

describe('a house', { skip: withoutHouse() || withoutBrowsers() }, () => {
  const all = untilTheEnd()
  let home: WholeHouse
  /** Tunnels to sites that the box has served. */
  const proxied = async (): Promise<number> => {
    const metrics = (await home.box.api('/metrics')).text()
    return Number(/^proxy_tunnels_served (\d+)$/m.exec(metrics)?.[1])
  }

  before(async () => {
    home = await wholeHouse(all)
  })

  it('R12 gives every device an address, the box as name server, and where the proxy script is', () => {
    const [one, two] = home.leases
    const { address: box } = home.house.box
    for (const { address, dns, pac, domain } of home.leases) {
      assert.match(address, /^10\.77\.0\.1\d\d$/)
      assert.deepEqual([dns, pac, domain], [box, `http://${box}/wpad.dat`, 'lan'])
    }
    assert.notEqual(one.address, two.address)
  })

  it('R11 gives the proxy script under every name that browsers try', async () => {
    const [{ netns }] = home.house.laptops
    const texts = await Promise.all(
      ['wpad', 'wpad.lan', home.house.box.address].map(async (host) => {
        const answer = await curl(`http://${host}/wpad.dat`, { netns })
        assert.equal(answer.status, 200)
        assert.equal(answer.headers['content-type'], 'application/x-ns-proxy-autoconfig')
        return answer.text()
      }),
    )
    assert.equal(new Set(texts).size, 1)
    assert.ok(texts[0]?.includes(`PROXY ${home.house.box.address}:80; DIRECT`))
  })

  it('E15 opens sites and ordinary ones in Chromium by DNS alone', async (t) => {
    const { house, roots, welcome } = home
    const page = await (await chromiumAt(t, house.laptops[0], { roots })).newPage()
    for (const scheme of ['http', 'https']) {
      const answer = await page.goto(`${scheme}://${welcome}/`)
      assert.equal(await page.title(), WELCOME_TITLE)
      if (scheme === 'http') assert.equal(answer?.headers()['content-security-policy'], undefined)
      await page.goto(`${scheme}://${ORDINARY}/`)
      assert.equal(await page.title(), ORDINARY_TITLE)
    }
  })

  it('R10 opens them in Chromium by the proxy that WPAD finds', async (t) => {
    const { house, roots, welcome } = home
    const page = await (await chromiumAt(t, house.laptops[1], { roots, pac: 'auto' })).newPage()
    for (const scheme of ['http', 'https']) {
      const answer = await page.goto(`${scheme}://${welcome}/`)
      assert.equal(await page.title(), WELCOME_TITLE)
      // Over http, what came through the proxy says so, and nothing else does.
      const policy = answer?.headers()['content-security-policy']
      assert.equal(policy, 'treat-as-public-address')
      await page.goto(`${scheme}://${ORDINARY}/`)
      assert.equal(await page.title(), ORDINARY_TITLE)
    }
  })

  it('E16 opens them in Firefox by DNS alone', async (t) => {
    const { house, roots, welcome } = home
    const tunnels = await proxied()
    const window = await firefoxAt(t, house.laptops[0], { roots })
    for (const scheme of ['http', 'https']) {
      await window.open(`${scheme}://${welcome}/`)
      assert.equal(await window.title(), WELCOME_TITLE)
      await window.open(`${scheme}://${ORDINARY}/`)
      assert.equal(await window.title(), ORDINARY_TITLE)
    }
    assert.equal(await proxied(), tunnels)
  })

  it('R12 opens them in Firefox by the proxy script that DHCP named', async (t) => {
    const { house, leases, roots, welcome } = home
    const tunnels = await proxied()
    const pac = { url: leases[1].pac }
    const window = await firefoxAt(t, house.laptops[1], { roots, pac })
    for (const scheme of ['http', 'https']) {
      await window.open(`${scheme}://${welcome}/`)
      assert.equal(await window.title(), WELCOME_TITLE)
      await window.open(`${scheme}://${ORDINARY}/`)
      assert.equal(await window.title(), ORDINARY_TITLE)
    }
    assert.ok((await proxied()) > tunnels)
  })

  // Last, as it looks back on all of the above.
  it('R15 lets no name of the house out, and no question past the box', async () => {
    const packets = await home.witness.packets()
    const names = askedNames(packets)
    assert.ok(names.includes(ORDINARY), names.join(', '))
    assert.deepEqual(
      names.filter((name) => OF_THE_HOUSE.test(name)),
      [],
    )
    // DNS, its encrypted kinds and multicast: to the one server that the box asks, and nobody else.
    const questions = packets.filter((line) => / > \S+\.(53|853|5353|5355): /.test(line))
    assert.deepEqual(
      questions.filter((line) => !line.includes(`> ${INTERNET.dns}.53: `)),
      [],
    )
  })
})
