/** C25: the four ways a device gets to names, and the pages that help it, against a whole box. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { browser, CHROMIUM } from '../support/browser.ts'
import { curl, type CurlOptions } from '../support/curl.ts'
import { createTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { type Box, etc, household, withoutNetns } from '../support/household.ts'
import { untilTheEnd } from '../support/house-whole.ts'
import { missing, output } from '../support/processes.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const CERTUTIL = '/usr/bin/certutil'
const WELCOME = /<title>(.*)<\/title>/

const skip = withoutNetns() || missing(CHROMIUM, CERTUTIL, '/usr/bin/curl')

describe('a box in a house', { skip }, () => {
  const all = untilTheEnd()
  let machine: Box
  let device: Box
  let box: TestDaemon
  /** The welcome site, without scheme. */
  let site: string
  let title: string
  let ca: string

  const get = (url: string, options: CurlOptions = {}) =>
    curl(url, { netns: device.netns, ...options })

  before(async () => {
    const [first, second] = await household(all, 'box', 'device')
    if (!first || !second) throw new Error('no household')
    machine = first
    device = second
    // Nobody tells this device anything: each test says how it is set up.
    await etc(all, device, 'resolv.conf', 'options attempts:1 timeout:1\n')
    box = await createTestDaemon(all, {
      netns: machine.netns,
      address: machine.address,
      config: {
        btlink: { gateway_domains: ['gw.example'] },
        proxy: { http_port: 80, https_port: 443 },
        dns: { port: 53 },
      },
    })
    // Printed once the welcome site is published.
    site = await until('the banner', () => /http:\/\/(\S+)\.localhost/.exec(box.output())?.[1])
    // Its own machine: names under localhost work with nothing set up.
    const own = await curl(`http://${site}.localhost/`, { netns: machine.netns })
    title = WELCOME.exec(own.text())?.[1] ?? ''
    assert.ok(title)
    ca = join(await tempFolder(all, 'ca'), 'rootca.pem')
    await writeFile(ca, (await get(`http://${machine.address}/.btlink/rootca.pem`)).body)
  })

  /** Chromium on the device. */
  async function open(
    t: Cleanup,
    url: string,
    trusts: boolean,
    switches: string[] = [],
  ): Promise<Page> {
    const HOME = await tempFolder(t, 'home')
    const database = join(HOME, '.pki/nssdb')
    await mkdir(database, { recursive: true })
    await output(CERTUTIL, ['-N', '-d', `sql:${database}`, '--empty-password'])
    if (trusts) {
      const args = ['-n', 'btlink', '-t', 'C,,', '-i', ca]
      await output(CERTUTIL, ['-A', '-d', `sql:${database}`, ...args])
    }
    const chromium = await browser(t, { netns: device.netns, switches, env: { HOME } })
    const page = await chromium.newPage()
    await page.goto(url)
    return page
  }

  it('C24 C25 opens names below a gateway domain for who has set up nothing', async (t) => {
    const host = `${site}.gw.example`
    const answer = await get(`http://${host}/`, {
      more: ['--resolve', `${host}:80:${machine.address}`],
    })
    assert.equal(answer.status, 200)
    assert.equal(WELCOME.exec(answer.text())?.[1], title)
    const names = [`--host-resolver-rules=MAP *.gw.example ${machine.address}`]
    const page = await open(t, `http://${host}/`, false, names)
    assert.equal(await page.title(), title)
  })

  it('C25 opens names by the proxy script, on a device whose DNS knows nothing of them', async (t) => {
    const page = await open(t, `http://${site}/`, true, [
      `--proxy-pac-url=http://${machine.address}/.btlink/proxy.pac`,
    ])
    assert.equal(await page.title(), title)
    await page.goto(`https://${site}/`)
    assert.equal(await page.title(), title)
    await page.goto('http://check.btlink/')
    assert.match((await page.textContent('#reached')) ?? '', /through its proxy/)
    assert.equal(await page.getAttribute('#trust', 'data-state'), 'yes')
  })

  it('C20 C25 opens names by DNS, and over https straight to the box, with no proxy', async (t) => {
    await etc(t, device, 'resolv.conf', `nameserver ${machine.address}\n`)
    const answer = await get(`https://${site}/`, {
      more: ['--cacert', ca, '--noproxy', '*'],
    })
    assert.equal(answer.status, 200)
    assert.equal(WELCOME.exec(answer.text())?.[1], title)
    const page = await open(t, `https://${site}/`, true)
    assert.equal(await page.title(), title)
    await page.goto('http://check.btlink/')
    assert.match((await page.textContent('#reached')) ?? '', /by its name/)
    assert.equal(await page.getAttribute('#trust', 'data-state'), 'yes')
    assert.equal(await page.getAttribute('#house', 'data-state'), 'yes')
    await page.goto('http://my.btlink/')
    assert.match((await page.textContent('#address')) ?? '', new RegExp(device.address))
  })

  it('C25 opens names on its own machine with nothing set up, as a gateway on a phone would', async (t) => {
    const chromium = await browser(t, { netns: machine.netns })
    const page = await chromium.newPage()
    await page.goto(`http://${site}.localhost/`)
    assert.equal(await page.title(), title)
  })

  it('E14 R25 meets a new device at its address and at http://btlink/ with help', async (t) => {
    await etc(t, device, 'resolv.conf', `nameserver ${machine.address}\n`)
    const page = await open(t, `http://${machine.address}/`, false)
    for (const start of [`http://${machine.address}/`, 'http://btlink/']) {
      await page.goto(start)
      assert.equal(await page.evaluate(`document.querySelector('img').naturalWidth > 0`), true)
      await page.getByRole('link', { name: 'Set up a device' }).click()
      assert.equal(await page.title(), 'Set up a device')
      assert.equal(await page.textContent('#url'), `http://${machine.address}/.btlink/setup`)
      const dns = await page.textContent('#box ~ dl')
      assert.match(dns ?? '', new RegExp(`DNS server${machine.address}\\n`))
    }
    // The check page tells it what is left to do.
    await page.goto(`http://${machine.address}/.btlink/check`)
    await page.waitForSelector('#trust[data-state=no]')
    assert.equal(await page.getAttribute('#names', 'data-state'), 'yes')
  })
})
