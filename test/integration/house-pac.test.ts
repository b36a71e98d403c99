/** A house whose router cannot hand out the box as name server: browsers get there by the proxy script alone. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { curl } from '../support/curl.ts'
import { askedNames, INTERNET, withoutHouse } from '../support/house.ts'
import { chromiumAt, firefoxAt, withoutBrowsers } from '../support/house-browsers.ts'
import { ORDINARY, ORDINARY_TITLE } from '../support/house-internet.ts'
import { WELCOME_TITLE, wholeHouse } from '../support/house-whole.ts'

describe('a house with another name server', { skip: withoutHouse() || withoutBrowsers() }, () => {
  it('R15 opens sites by the proxy script, and looks up no address of theirs outside', async (t) => {
    const home = await wholeHouse(t, {}, { dns: INTERNET.dns })
    const { house, leases, roots, welcome } = home
    const [one, two] = house.laptops
    assert.equal(leases[0].dns, INTERNET.dns)
    const pac = { url: leases[0].pac }
    const page = await (await chromiumAt(t, one, { roots, pac })).newPage()
    const window = await firefoxAt(t, two, { roots, pac })
    for (const scheme of ['http', 'https']) {
      await page.goto(`${scheme}://${welcome}/`)
      assert.equal(await page.title(), WELCOME_TITLE)
      await page.goto(`${scheme}://${ORDINARY}/`)
      assert.equal(await page.title(), ORDINARY_TITLE)
      await window.open(`${scheme}://${welcome}/`)
      assert.equal(await window.title(), WELCOME_TITLE)
      await window.open(`${scheme}://${ORDINARY}/`)
      assert.equal(await window.title(), ORDINARY_TITLE)
    }
    const packets = await home.witness.packets()
    // Firefox looks for HTTPS records itself, whoever its proxy is. Nobody else asks, not even it for more.
    assert.deepEqual(
      packets.filter((line) => /btlink|wpad/.test(line) && !line.includes(' Type65? ')),
      [],
    )
    assert.ok(askedNames(packets).includes(ORDINARY))
    // Nothing but the script led here.
    await assert.rejects(curl(`http://${welcome}/`, { netns: one.netns }), /Could not resolve host/)
  })
})
