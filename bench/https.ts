/**
 * A page of twenty assets over https, its connections warm, in Chromium: through the proxy, and from
 * nginx, the servers on one core and the browser on another, one at a time; the same without a browser,
 * where nothing but the servers counts; and how much longer the first request to a host takes than a
 * warm one, on a whole box. `node bench/https.ts [--loads=60] [--json]`
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { browser } from '../test/support/browser.ts'
import { createCertificate } from '../test/support/certificates.ts'
import { curl } from '../test/support/curl.ts'
import { createTestDaemon } from '../test/support/daemon.ts'
import { freePort } from '../test/support/free-port.ts'
import { output, start } from '../test/support/processes.ts'
import { ROOT } from '../test/support/sources.ts'
import { tempFolder } from '../test/support/temp.ts'
import { until } from '../test/support/until.ts'
import { startNginx } from './nginx.ts'
import { openBrowser, type Place } from './page-load.ts'
import { type Bench, bench, median, percentile, TASKSET } from './runner.ts'

const KB = 1024
const SERVER_CORE = '0'
const CLIENT_CORE = '1'
const NEW_HOSTS = 60
const LOADS = Number(process.argv.find((arg) => arg.startsWith('--loads='))?.split('=')[1] ?? '60')

/** Sizes as pages have them: many small scripts and styles, some pictures. */
const ASSETS = Object.fromEntries([
  ...Array.from({ length: 10 }, (_, i) => [`s${i}.js`, 4 * KB]),
  ...Array.from({ length: 8 }, (_, i) => [`p${i}.jpg`, 20 * KB]),
  ...Array.from({ length: 2 }, (_, i) => [`l${i}.jpg`, 100 * KB]),
]) as Record<string, number>

async function nginx(b: Bench, folder: string): Promise<Place> {
  const host = 'site.example'
  const { key, certificate, ca } = await createCertificate(b, [host], [])
  const port = await freePort()
  await startNginx(
    b,
    SERVER_CORE,
    `tcp_nopush on; keepalive_requests 1000000; open_file_cache max=1000;
  types { text/html html; } default_type application/octet-stream;
  server {
    listen 127.0.0.1:${port} ssl; root ${folder}; ssl_protocols TLSv1.3;
    ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_session_cache shared:s:1m;
  }`,
  )
  const place = { port, host, ca: await readFile(ca, 'utf8'), isProxy: false }
  await until('nginx', async () => {
    const browser = await openBrowser(place)
    browser.close()
    return true
  })
  return place
}

async function ours(b: Bench, folder: string): Promise<Place> {
  const state = await tempFolder(b, 'bench-https')
  const args = [join(ROOT, 'bench/https-server.ts'), folder, state]
  const child = start(b, TASKSET, ['-c', SERVER_CORE, process.execPath, ...args])
  const line = await child.line((text) => text.startsWith('{'), 60_000)
  const { http, host, ca } = JSON.parse(line) as { http: number; host: string; ca: string }
  return { port: http, host, ca, isProxy: true }
}

/** Milliseconds of a handshake and one request, over a connection of its own. */
async function ask(place: Place): Promise<number> {
  const since = performance.now()
  const browser = await openBrowser(place, 1)
  await browser.load('/.btlink/proxy.pac', [])
  browser.close()
  return performance.now() - since
}

async function newHosts(b: Bench): Promise<void> {
  const box = await createTestDaemon(b, { config: { dns: { enabled: false } } })
  const root = await curl(`http://127.0.0.1:${box.port('http')}/.btlink/rootca.pem`)
  const at = { port: box.port('http'), ca: root.text(), isProxy: true }
  await ask({ ...at, host: 'btlink' })
  const extra: number[] = []
  for (let i = 0; i < NEW_HOSTS; i++) {
    const place = { ...at, host: `${randomBytes(20).toString('hex')}-ih.btlink` }
    const first = await ask(place)
    extra.push(first - (await ask(place)))
  }
  b.report({ what: 'first request to a host', value: median(extra), unit: 'ms more', atMost: 30 })
  b.report({ what: `slowest of ${NEW_HOSTS}`, value: Math.max(...extra), unit: 'ms more' })
}

const scripts = Object.keys(ASSETS).filter((name) => name.endsWith('.js'))
const pictures = Object.keys(ASSETS).filter((name) => name.endsWith('.jpg'))
const PAGE = `<!doctype html><title>page</title>${scripts
  .map((name) => `<script src=${name}></script>`)
  .join('')}${pictures.map((name) => `<img src=${name}>`).join('')}`

async function writePage(b: Bench): Promise<string> {
  const folder = join(await tempFolder(b, 'bench-page'), 'files')
  await mkdir(folder)
  await writeFile(join(folder, 'index.html'), PAGE)
  for (const [name, size] of Object.entries(ASSETS)) {
    const bytes = randomBytes(size)
    const script = `//${bytes.toString('hex').slice(2, size)}`
    await writeFile(join(folder, name), name.endsWith('.js') ? script : bytes)
  }
  return folder
}

type Load = () => Promise<number>

/** Milliseconds of each, in turn, so that a slow moment of the machine meets both. */
async function inTurn(loads: Map<string, Load>, times: number): Promise<Map<string, number[]>> {
  const all = new Map([...loads.keys()].map((name) => [name, [] as number[]]))
  // The first ones are those of cold programs.
  for (let i = -Math.ceil(times / 4); i < times; i++) {
    for (const [name, load] of loads) {
      const ms = await load()
      if (i >= 0) all.get(name)?.push(ms)
    }
  }
  return all
}

/** From the first byte asked for to the load event, with nothing taken from the browser's cache. */
async function loadIn(page: Page, url: string): Promise<number> {
  await page.goto(url, { waitUntil: 'load' })
  return page.evaluate<number>('performance.getEntriesByType("navigation")[0].loadEventStart')
}

async function inChromium(b: Bench, places: Record<string, Place>): Promise<Map<string, Load>> {
  const HOME = await tempFolder(b, 'bench-home')
  const database = `sql:${join(HOME, '.pki/nssdb')}`
  await mkdir(join(HOME, '.pki/nssdb'), { recursive: true })
  await output('/usr/bin/certutil', ['-N', '-d', database, '--empty-password'])
  const switches: string[] = []
  for (const [name, { ca, host, port, isProxy }] of Object.entries(places)) {
    const file = join(HOME, `${name}.pem`)
    await writeFile(file, ca)
    const trust = ['-n', name, '-t', 'C,,', '-i', file]
    await output('/usr/bin/certutil', ['-A', '-d', database, ...trust])
    if (isProxy) switches.push(`--proxy-server=http://127.0.0.1:${port}`)
    else switches.push(`--proxy-bypass-list=${host}`, `--host-resolver-rules=MAP ${host} 127.0.0.1`)
  }
  const opened = await browser(b, { switches, env: { HOME } })
  const loads = new Map<string, Load>()
  for (const [name, { host, port, isProxy }] of Object.entries(places)) {
    const page = await opened.newPage()
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Network.setCacheDisabled', { cacheDisabled: true })
    const url = isProxy ? `https://${host}/` : `https://${host}:${port}/`
    loads.set(name, async () => loadIn(page, url))
  }
  return loads
}

await bench('https', async (b) => {
  await output(TASKSET, ['-a', '-p', '-c', CLIENT_CORE, String(process.pid)])
  const folder = await writePage(b)
  const places = { nginx: await nginx(b, folder), btlinkd: await ours(b, folder) }
  const assets = Object.keys(ASSETS).map((name) => `/${name}`)
  const judge = (what: string, times: Map<string, number[]>, bar: { atMost?: number }) => {
    for (const [name, all] of times) {
      const p95 = percentile(all, 0.95).toFixed(1)
      b.say(`  ${what}, ${name}: ${median(all).toFixed(2)} ms, p95 ${p95} ms`)
    }
    const middle = (name: string) => median(times.get(name) ?? [])
    const value = middle('btlinkd') / middle('nginx')
    b.report({ what: `${what} beside nginx`, value, unit: 'x', ...bar })
  }
  judge('page in Chromium', await inTurn(await inChromium(b, places), LOADS), { atMost: 1.3 })
  const loads = new Map<string, Load>()
  for (const [name, place] of Object.entries(places)) {
    const opened = await openBrowser(place)
    b.after(() => opened.close())
    loads.set(name, async () => opened.load('/index.html', assets))
  }
  judge('page without a browser', await inTurn(loads, 4 * LOADS), {})
  await newHosts(b)
})
