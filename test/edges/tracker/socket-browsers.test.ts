import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Page } from 'playwright-core'
import { browser, CHROMIUM } from '../../support/browser.ts'
import { missing } from '../../support/processes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { socketServer } from './socket-harness.ts'

const WEBTORRENT = new URL(
  '../../../node_modules/webtorrent/dist/webtorrent.min.js',
  import.meta.url,
)

/** Pages on 127.0.0.1 are secure contexts, without which webtorrent cannot hash. */
async function pages(t: Cleanup): Promise<string> {
  const script = await readFile(WEBTORRENT)
  const server = createServer((req, res) => {
    const isScript = req.url === '/webtorrent.js'
    res.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
    res.end(
      isScript
        ? script
        : `<script type="module">
            import WebTorrent from '/webtorrent.js'
            window.client = new WebTorrent({ dht: false, tracker: { rtcConfig: { iceServers: [] } } })
          </script>`,
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  finallyDo(t, () => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

async function open(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await page.waitForFunction('window.client !== undefined')
}

test('two pages in Chromium exchange a file over the tracker', {
  skip: missing(CHROMIUM),
  timeout: 60_000,
}, async (t) => {
  const { url: tracker, tracker: side, completed } = await socketServer(t)
  const origin = await pages(t)
  // Candidates by mDNS would ask for multicast, which loopback has not.
  const chromium = await browser(t, {
    switches: ['--disable-features=WebRtcHideLocalIpsWithMdns'],
  })
  const [seeder, leecher] = [await chromium.newPage(), await chromium.newPage()]
  await open(seeder, origin)
  await open(leecher, origin)
  const infoHash = await seeder.evaluate(`new Promise((resolve) => {
      const bytes = new Uint8Array(300000).map((_, i) => i * 7)
      const file = new File([bytes], 'numbers.bin')
      client.seed(file, { announce: ['${tracker}'] }, (torrent) => resolve(torrent.infoHash))
    })`)
  const sum = await leecher.evaluate(`new Promise((resolve, reject) => {
      client.on('error', reject)
      const magnet = 'magnet:?xt=urn:btih:${String(infoHash)}&tr=${encodeURIComponent(tracker)}'
      client.add(magnet, (torrent) => {
        torrent.on('done', async () => {
          const bytes = new Uint8Array(await (await torrent.files[0].blob()).arrayBuffer())
          resolve(bytes.length + ':' + bytes.every((byte, i) => byte === ((i * 7) & 255)))
        })
      })
    })`)
  assert.equal(sum, '300000:true')
  assert.deepEqual(completed, [infoHash])
  const stats = side.stats()
  assert.equal(stats['socket_peers'], 2)
  assert.equal(stats['socket_faults'], 0)
  assert.ok((stats['socket_answers'] ?? 0) >= 1)
  await leecher.close()
})
