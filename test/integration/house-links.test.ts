/** Ordinary domains whose owner wrote a link record: in a house they open from the swarm. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { curl } from '../support/curl.ts'
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
    const pki = { link_domains: [LINKED] }
    home = await wholeHouse(all, { config: { dns, pki } })
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

  it('C07 opens over https for who trusts the authority of just these domains', async (t) => {
    const { box, laptops } = home.house
    const root = join(await tempFolder(t, 'root'), 'links.pem')
    const url = `http://${box.address}/.btlink/rootca.pem?realm=links`
    await writeFile(root, (await curl(url, { netns: laptops[0].netns })).body)
    const pac = { url: `http://${box.address}/.btlink/proxy.pac?links=1` }
    for (const setting of [{}, { pac }]) {
      const trusting = { ...setting, roots: [root, ...home.roots] }
      const page = await (await chromiumAt(t, laptops[0], trusting)).newPage()
      await page.goto(`https://${LINKED}/`)
      assert.equal(await page.title(), TITLE)
      await page.goto(`https://${ORDINARY}/`)
      assert.equal(await page.title(), ORDINARY_TITLE)
      await page.close()
    }
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
