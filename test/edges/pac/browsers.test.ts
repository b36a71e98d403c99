/** What Chromium and Firefox make of the PAC file, fetched from us as WPAD would. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { browser, CHROMIUM } from '../../support/browser.ts'
import { FIREFOX, firefoxWindow } from '../../support/marionette.ts'
import { missing } from '../../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { createTestPac, DIRECT, PROXIED } from './pac-hosts.ts'

/** The PAC file, the proxy it names, and every host asked directly: which one is the page's title. */
async function serve(t: Cleanup): Promise<number> {
  let port = 0
  const server = createServer((req, res) => {
    if (createTestPac({ http: port }).answer(req, res)) return
    const title = req.url?.startsWith('http:') === true ? 'proxied' : 'direct'
    res.writeHead(200, { 'content-type': 'text/html', connection: 'close' })
    res.end(`<title>${title}</title>`)
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  port = (server.address() as AddressInfo).port
  finallyDo(t, () => {
    server.close()
    server.closeAllConnections()
  })
  return port
}

const cases = [
  ...PROXIED.map((host) => ({ host, title: 'proxied' })),
  // An address is reached where it is, and here nobody is.
  ...DIRECT.filter((host) => !/^[\d.]+$/.test(host)).map((host) => ({ host, title: 'direct' })),
]

describe('the PAC file', () => {
  it('sends the right hosts through Chromium', { skip: missing(CHROMIUM) }, async (t) => {
    const port = await serve(t)
    const switches = [
      `--proxy-pac-url=http://127.0.0.1:${port}/wpad.dat`,
      '--host-resolver-rules=MAP * 127.0.0.1',
    ]
    const page = await (await browser(t, { switches })).newPage()
    const titles: Record<string, string> = {}
    for (const { host } of cases) {
      await page.goto(`http://${host}:${port}/`)
      titles[host] = await page.title()
    }
    assert.deepEqual(titles, Object.fromEntries(cases.map(({ host, title }) => [host, title])))
  })

  it('sends the right hosts through Firefox', { skip: missing(FIREFOX) }, async (t) => {
    const port = await serve(t)
    const policies = await tempFolder(t, 'policies')
    const AutoConfigURL = `http://127.0.0.1:${port}/.btlink/proxy.pac`
    const Proxy = { Mode: 'autoConfig', AutoConfigURL, Locked: true }
    await writeFile(join(policies, 'policies.json'), JSON.stringify({ policies: { Proxy } }))
    const window = await firefoxWindow(t, await tempFolder(t, 'firefox'), { policies })
    const titles: Record<string, string> = {}
    for (const { host } of cases) {
      await window.open(`http://${host}:${port}/`)
      titles[host] = await window.title()
    }
    assert.deepEqual(titles, Object.fromEntries(cases.map(({ host, title }) => [host, title])))
  })
})
