/** A laptop of the house and an ordinary domain that has a site: by a proxy script, and by DNS alone. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { browser, CHROMIUM } from '../support/browser.ts'
import { curl } from '../support/curl.ts'
import { createTestDaemon, type TestDaemon, writeSite } from '../support/daemon.ts'
import { KDIG } from '../support/dns-servers.ts'
import { etc, household, withoutNetns } from '../support/household.ts'
import { publish, SITE } from '../support/neighbours.ts'
import { missing, output } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const skip = withoutNetns() || missing(CHROMIUM, '/usr/bin/curl', KDIG)

describe('a laptop that has its DNS from the box', { skip }, async () => {
  if (skip !== false) return
  const [home, laptop] = await household(all, 'box', 'laptop')
  assert.ok(home && laptop)
  const { netns, address } = home
  await etc(all, laptop, 'resolv.conf', `nameserver ${address}\n`)
  const folder = join(await tempFolder(all, 'site'), 'site')
  await writeSite(folder, SITE)
  // The key of a site is not known before the box has made it.
  const first = await createTestDaemon(all, { netns, address })
  const site = await publish(first, folder, 'home')
  await first.stop()
  const boxWith = (dns: object, { state }: TestDaemon): Promise<TestDaemon> =>
    createTestDaemon(all, {
      netns,
      address,
      state,
      config: {
        // Nobody outside is there to be asked.
        upstream: { servers: [`${address}:9`], timeout: '500ms' },
        dns: { port: 53, link_records: [`chromecast.link=${site.host}`], ...dns },
        proxy: { http_port: 80 },
      },
    })
  const titleOf = async (url: string, switches: string[]): Promise<string> => {
    const opened = await browser(all, { netns: laptop.netns, switches })
    try {
      const tab = await opened.newPage()
      await tab.goto(url)
      return `${await tab.title()} at ${new URL(tab.url()).origin}`
    } finally {
      await opened.close()
    }
  }
  const dig = async (name: string) =>
    (await output(KDIG, [`@${address}`, '+short', name, 'A'], { netns: laptop.netns })).trim()
  let box = await boxWith({ link_check: true }, first)

  it('opens it by the proxy script that asks for link records (C14, D01)', async () => {
    assert.equal(await dig('chromecast.link'), '')
    assert.equal(await dig('chromecast.link._btlink.btlink'), address)
    const pac = `--proxy-pac-url=http://${address}/.btlink/proxy.pac`
    const said = await titleOf('http://chromecast.link/', [`${pac}?links=1`])
    assert.equal(said, 'First light at http://chromecast.link')
    // The usual script does not ask, and goes straight to a host that has no address.
    await assert.rejects(titleOf('http://chromecast.link/', [pac]), /ERR_NAME_NOT_RESOLVED/)
    await assert.rejects(titleOf('http://plain.link/', [`${pac}?links=1`]), /net::ERR_/)
  })

  it('opens it without a proxy where its address is the box (R09, D12, D14)', async () => {
    await box.stop()
    box = await boxWith({ intercept_links: true }, first)
    assert.equal(await dig('chromecast.link'), address)
    const said = await titleOf('http://chromecast.link/', [])
    assert.equal(said, 'First light at http://chromecast.link')
    const answer = await curl('http://chromecast.link/sub/', { netns: laptop.netns })
    assert.equal(answer.text(), SITE['sub/index.html'])
  })
})
