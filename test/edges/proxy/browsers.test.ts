/** Chromium and Firefox as the household has them, told where the proxy is and nothing else. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { WebSocketServer } from 'ws'
import { browser, CHROMIUM } from '../../support/browser.ts'
import { createCertificate } from '../../support/certificates.ts'
import {
  CERTUTIL,
  hostilePage,
  startLanDevice,
  trustingHome,
  WAYS,
} from '../../support/lan-device.ts'
import { FIREFOX, firefoxWindow } from '../../support/marionette.ts'
import { missing } from '../../support/processes.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { listen, startHouse, startSite } from './fixture.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const anyPort = Array.from({ length: 65_535 }, (_, i) => i + 1)
const house = await startHouse(all, { connect_ports: anyPort })
house.names.set('site.example', ['127.0.0.1'])
const { proxy, url } = house
const other = await house.add({ 'data.txt': 'of another site' })

const device = await startLanDevice(all)
const { knocks } = device
const hostile = hostilePage(device, `${other.infoHash}-ih.btlink`)
const page = await house.add({ 'index.html': hostile, 'own.txt': 'own' })
const plain = await house.add({ 'index.html': '<title>a site</title>' })

/** A site with a certificate of its own; its page is named for what comes back over `wss:`. */
async function startSecureSite(t: Cleanup): Promise<{ port: number; ca: string }> {
  const own = await createCertificate(t, ['site.example'], [])
  const tls = { key: await readFile(own.key), cert: await readFile(own.certificate) }
  const server = createSecureServer(tls, (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/html' })
    res.end(`<script>
const socket = new WebSocket('wss://' + location.host)
socket.onopen = () => socket.send('hello')
socket.onmessage = ({ data }) => { document.title = data }
socket.onerror = () => { document.title = 'failed' }
</script>`)
  })
  const echoes = new WebSocketServer({ server })
  echoes.on('connection', (socket) =>
    socket.on('message', (data) => socket.send(data, { binary: false })),
  )
  finallyDo(t, () => {
    for (const socket of echoes.clients) socket.terminate()
  })
  return { port: await listen(t, server), ca: own.ca }
}

async function titleOf(opened: Page, address: string, pattern: string): Promise<string> {
  await opened.goto(address)
  await opened.waitForFunction(`/${pattern}/.test(document.title)`, undefined, { timeout: 15_000 })
  return opened.title()
}

describe('Chromium', { skip: missing(CHROMIUM, CERTUTIL) }, () => {
  it('opens names over http and https by the PAC file, and no page of theirs reaches the house', async (t) => {
    const env = await trustingHome(t, house.ca)
    const switches = [`--proxy-pac-url=${url}/.btlink/proxy.pac`]
    const opened = await (await browser(t, { switches, env })).newPage()
    for (const scheme of ['http', 'https']) {
      knocks.length = 0
      const address = `${scheme}://${page.infoHash}-ih.btlink/`
      assert.equal(await titleOf(opened, address, '^in, '), 'in, of another site', scheme)
      assert.deepEqual(knocks, [], scheme)
    }
    assert.match(await titleOf(opened, 'http://btlink/', '.'), /./)
  })

  it('lets such a page reach the house where nobody tells it not to', async (t) => {
    // What the test above would be worth nothing without.
    const careless = await startHouse(t, {
      deps: {
        serve: (_req, res) => {
          res.setHeader('content-type', 'text/html')
          res.end(hostile)
        },
      },
    })
    knocks.length = 0
    const switches = [`--proxy-server=${careless.url}`]
    const opened = await (
      await browser(t, { switches, env: await trustingHome(t, house.ca) })
    ).newPage()
    await titleOf(opened, `http://${page.infoHash}-ih.btlink/`, '^in, ')
    assert.equal(new Set(knocks).size, WAYS, knocks.join(', '))
  })

  it('asks the HTTPS proxy for everything, over HTTP/2', async (t) => {
    const env = await trustingHome(t, house.ca)
    const site = await startSite(t, (_req, res) => res.end('<title>elsewhere</title>'))
    const echo = createServer()
    const echoes = new WebSocketServer({ server: echo })
    echoes.on('connection', (socket) =>
      socket.on('message', (data) => socket.send(data, { binary: false })),
    )
    finallyDo(t, () => {
      for (const socket of echoes.clients) socket.terminate()
    })
    const echoPort = await listen(t, echo)
    const switches = [
      `--proxy-server=https://proxy.btlink:${proxy.httpsPort}`,
      '--host-resolver-rules=MAP proxy.btlink 127.0.0.1',
    ]
    const opened = await (await browser(t, { switches, env })).newPage()
    for (const scheme of ['http', 'https']) {
      await titleOf(opened, `${scheme}://${plain.infoHash}-ih.btlink/`, 'a site')
    }
    await titleOf(opened, `http://site.example:${site}/`, 'elsewhere')
    const said = await opened.evaluate(
      async (address) =>
        new Promise((resolve, reject) => {
          const socket = new WebSocket(address)
          socket.addEventListener('open', () => socket.send('hello'))
          socket.addEventListener('message', ({ data }) => resolve(data))
          socket.addEventListener('error', reject)
        }),
      `ws://site.example:${echoPort}/`,
    )
    assert.equal(said, 'hello')
  })
})

describe('Firefox', { skip: missing(FIREFOX, CERTUTIL) }, () => {
  async function policies(t: { after(fn: () => void): void }, policy: object): Promise<string> {
    const folder = await tempFolder(t, 'policies')
    await writeFile(join(folder, 'policies.json'), JSON.stringify({ policies: policy }))
    return folder
  }

  it('C16 opens names over http by the PAC file without the root certificate', async (t) => {
    const Proxy = { Mode: 'autoConfig', AutoConfigURL: `${url}/.btlink/proxy.pac`, Locked: true }
    const folder = await policies(t, { Proxy })
    const window = await firefoxWindow(t, await tempFolder(t, 'firefox'), { policies: folder })
    await window.open(`http://${plain.infoHash}-ih.btlink/`)
    assert.equal(await window.title(), 'a site')
  })

  it('C18 opens names by the HTTPS proxy, over HTTP/2, with the root certificate', async (t) => {
    const AutoConfigURL = `${url}/.btlink/proxy.pac?secure=1`
    const secure = await startSecureSite(t)
    const root = join(await tempFolder(t, 'root'), 'root.pem')
    await writeFile(root, (await house.pki.root('names')).pem)
    const folder = await policies(t, {
      Proxy: { Mode: 'autoConfig', AutoConfigURL, Locked: true },
      Certificates: { Install: [root, secure.ca] },
    })
    const window = await firefoxWindow(t, await tempFolder(t, 'firefox'), { policies: folder })
    const tunnels = proxy.stats()['tunnels_served'] ?? 0
    for (const scheme of ['http', 'https']) {
      await window.open(`${scheme}://${plain.infoHash}-ih.btlink/`)
      assert.equal(await window.title(), 'a site', scheme)
    }
    assert.equal((proxy.stats()['tunnels_served'] ?? 0) > tunnels, true)
    await window.open(`https://site.example:${secure.port}/`)
    assert.equal(await until('wss:', async () => (await window.title()) || undefined), 'hello')
  })
})
