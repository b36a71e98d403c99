/** Ordinary domains whose owner wrote a link record: in a house they open from the swarm. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { writeSite } from '../support/daemon.ts'
import { withoutHouse } from '../support/house.ts'
import { chromiumAt, firefoxAt, withoutBrowsers } from '../support/house-browsers.ts'
import { LINKED, ORDINARY, ORDINARY_TITLE } from '../support/house-internet.ts'
import { untilTheEnd, type WholeHouse, wholeHouse } from '../support/house-whole.ts'
import { publish } from '../support/neighbours.ts'
import { tempFolder } from '../support/temp.ts'

const TITLE = 'the site of a domain'
const PAGE = `<!doctype html><title>${TITLE}</title><p id=p></p>
<script>document.querySelector('#p').textContent = location.host</script>`

describe('a domain with a link record', { skip: withoutHouse() || withoutBrowsers() }, () => {
  const all = untilTheEnd()
  let home: WholeHouse

  before(async () => {
    const dns = { link_check: true, intercept_links: true }
    home = await wholeHouse(all, { config: { dns } })
    const folder = join(await tempFolder(all, 'site'), 'site')
    await writeSite(folder, { 'index.html': PAGE })
    const { host } = await publish(home.box, folder, 'domain')
    await home.internet.texts({ [`_btlink.${LINKED}`]: host })
  })

  /** The site under its own name, and an ordinary one beside it. */
  async function visit(page: Page): Promise<string | undefined> {
    const answer = await page.goto(`http://${LINKED}/`)
    assert.equal(await page.title(), TITLE)
    assert.equal(await page.textContent('#p'), LINKED)
    await page.goto(`http://${ORDINARY}/`)
    assert.equal(await page.title(), ORDINARY_TITLE)
    return answer?.headers()['content-security-policy']
  }

  it('R09 D04 opens under its own name by DNS, where the house has it so', async (t) => {
    const page = await (await chromiumAt(t, home.house.laptops[0])).newPage()
    assert.equal(await visit(page), undefined)
  })

  it('C14 D04 opens under its own name by the proxy script that asks for records', async (t) => {
    const pac = { url: `http://${home.house.box.address}/.btlink/proxy.pac?links=1` }
    const page = await (await chromiumAt(t, home.house.laptops[1], { pac })).newPage()
    assert.equal(await visit(page), 'treat-as-public-address')
    const window = await firefoxAt(t, home.house.laptops[1], { pac })
    await window.open(`http://${LINKED}/`)
    assert.equal(await window.title(), TITLE)
    await window.open(`http://${ORDINARY}/`)
    assert.equal(await window.title(), ORDINARY_TITLE)
  })
})
