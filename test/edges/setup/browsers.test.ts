/** The pages as browsers show them: with scripts and without, on a desk and in a hand, trusting and not. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import readQr from 'jsqr'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { browser, CHROMIUM } from '../../support/browser.ts'
import { FIREFOX, firefoxWindow } from '../../support/marionette.ts'
import { missing, output } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { startDoor } from './door.ts'

const CERTUTIL = '/usr/bin/certutil'
const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const door = await startDoor(all)
const { httpPort } = door.proxy
/** Names lead to the box, as in a house whose DNS it is. */
const BY_DNS = '--host-resolver-rules=MAP *.btlink 127.0.0.1'

let shared: Promise<Browser> | undefined
/** One browser for all that neither trusts the box nor has a proxy; until the next one ends. */
const inHouse = (): Promise<Browser> => (shared ??= browser(all, { switches: [BY_DNS] }))

/** Chromium in a home that trusts the box. */
async function trusting(t: Cleanup, switches: string[]): Promise<Browser> {
  const HOME = await tempFolder(t, 'home')
  const database = join(HOME, '.pki/nssdb')
  await mkdir(database, { recursive: true })
  await output(CERTUTIL, ['-N', '-d', `sql:${database}`, '--empty-password'])
  const trust = ['-n', 'btlink', '-t', 'C,,', '-i', door.ca]
  await output(CERTUTIL, ['-A', '-d', `sql:${database}`, ...trust])
  return browser(t, { switches, env: { HOME } })
}

async function open(on: Browser, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await (await on.newContext(options)).newPage()
  await page.goto(url, { waitUntil: 'load' })
  return page
}

/** What a person sees: each line with the words of its picture, or those in its place. */
async function findings(page: Page): Promise<Record<string, string>> {
  return page.evaluate(`Object.fromEntries([...document.querySelectorAll('.checks li')].map((line) => {
    const image = line.querySelector('img')
    const answer = image ? (image.naturalWidth > 0 ? 'works' : image.alt) : line.querySelector('strong').textContent
    return [line.id, answer]
  }))`)
}

describe('in Chromium', { skip: missing(CHROMIUM, CERTUTIL) }, () => {
  it('the check page shows a new device what is missing, without scripts too', async () => {
    const chromium = await inHouse()
    for (const javaScriptEnabled of [true, false]) {
      const page = await open(chromium, `${door.url}/.btlink/check`, { javaScriptEnabled })
      const { names, trust, house } = await findings(page)
      assert.deepEqual(
        { names, trust, house },
        { names: 'works', trust: 'not yet', house: '✓ yes' },
      )
      // The word stands on the page itself; advice goes where it is not needed, if a script may do so.
      assert.equal(await page.isVisible('#trust .advice'), true)
      assert.equal(await page.isVisible('#names .advice'), !javaScriptEnabled)
    }
  })

  it('the code leads a phone to the setup page', async () => {
    const chromium = await inHouse()
    for (const [url, selector] of [
      [`${door.url}/.btlink/setup`, 'svg.qr'],
      [`${door.url}/`, 'img[src="/.btlink/qr.svg"]'],
    ] as const) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await open(chromium, url, { colorScheme })
        const shot = await page.locator(selector).screenshot()
        const pixels: { data: string; width: number; height: number } =
          await page.evaluate(`(async () => {
          const bytes = Uint8Array.from(atob('${shot.toString('base64')}'), (c) => c.charCodeAt(0))
          const image = await createImageBitmap(new Blob([bytes]))
          const { width, height } = image
          const canvas = new OffscreenCanvas(width, height).getContext('2d')
          canvas.drawImage(image, 0, 0)
          return { data: new Uint8Array(canvas.getImageData(0, 0, width, height).data.buffer).toBase64(), width, height }
        })()`)
        const read = readQr.default(
          Uint8ClampedArray.from(Buffer.from(pixels.data, 'base64')),
          pixels.width,
          pixels.height,
        )
        // Whoever came over loopback is on the box; phones need its address in the house.
        assert.equal(read?.data, `http://192.168.1.5:${httpPort}/.btlink/setup`)
      }
    }
  })

  it('no page scrolls sideways on a phone, or says anything to the console', async () => {
    const chromium = await inHouse()
    for (const width of [320, 390, 1280]) {
      for (const name of ['setup', 'check', 'my']) {
        const context = await chromium.newContext({ viewport: { width, height: 800 } })
        const page = await context.newPage()
        const said: string[] = []
        page.on('console', (message) => said.push(message.text()))
        page.on('pageerror', (error) => said.push(String(error)))
        await page.goto(`http://${name}.btlink:${httpPort}/`)
        await page.evaluate(
          `document.querySelectorAll('details').forEach((one) => { one.open = true })`,
        )
        const wide = await page.evaluate('document.documentElement.scrollWidth')
        assert.ok(Number(wide) <= width, `${name} is ${String(wide)} wide at ${width}`)
        // The browser tells of the certificate it does not know.
        const odd = said.filter((line) => !/ERR_CERT|favicon|404/.test(line))
        assert.deepEqual(odd, [])
        await context.close()
      }
    }
  })

  it('the certificate is saved, not shown, by one click', async () => {
    const chromium = await inHouse()
    const page = await open(chromium, `http://setup.btlink:${httpPort}/`)
    for (const [label, file] of [
      ['Android, Windows', 'btlink-rootca.crt'],
      ['iPhone, iPad, Mac', 'btlink-rootca.mobileconfig'],
      ['Linux, Firefox', 'btlink-rootca.pem'],
    ] as const) {
      const [saved] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: label, exact: true }).click(),
      ])
      assert.equal(saved.suggestedFilename(), file)
    }
  })

  it('the check page sees names that lead nowhere', async (t) => {
    const chromium = await browser(t, {
      switches: ['--host-resolver-rules=MAP *.btlink ~NOTFOUND'],
    })
    const { names, trust } = await findings(await open(chromium, `${door.url}/.btlink/check`))
    assert.deepEqual({ names, trust }, { names: 'not yet', trust: 'not yet' })
  })

  it('the check page is content with a device that is set up, by DNS and by the script', async (t) => {
    for (const [way, port] of [
      [BY_DNS, `:${httpPort}`],
      [`--proxy-pac-url=${door.url}/.btlink/proxy.pac`, ''],
    ]) {
      const chromium = await trusting(t, [way ?? ''])
      const page = await open(chromium, `http://check.btlink${port}/`)
      const found = await findings(page)
      assert.equal(found['trust'], 'works', way)
      assert.equal(found['names'], '✓ yes')
      assert.equal(await page.isVisible('#trust .advice'), false)
      // By the link on the page, as a person goes on.
      await page.click('#trust a')
      await page.waitForURL(/^https:/)
      assert.equal((await findings(page))['trust'], '✓ yes')
    }
  })
})

describe('in Firefox', { skip: missing(FIREFOX) }, () => {
  it('the check page gets its picture over https once an administrator installed the certificate', async (t) => {
    const shown = () => door.setup.stats()['pages_shown'] ?? 0
    for (const [Certificates, pages] of [
      [{}, 1],
      [{ Install: [door.ca] }, 2],
    ] as const) {
      const policies = await tempFolder(t, 'policies')
      await writeFile(
        join(policies, 'policies.json'),
        JSON.stringify({ policies: { Certificates } }),
      )
      const window = await firefoxWindow(t, await tempFolder(t, 'firefox'), { policies })
      const before = shown()
      // Loaded with all its pictures, or what became of them.
      await window.open(`http://check.btlink:${httpPort}/`)
      assert.equal(await window.title(), 'What works here')
      assert.equal(shown() - before, pages)
    }
  })
})
