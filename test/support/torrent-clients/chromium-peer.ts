/** WebTorrent in a page of headless Chromium. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { browser } from '../browser.ts'
import { PYTHON } from '../libtorrent.ts'
import { output, start } from '../processes.ts'
import { type Cleanup, tempFolder } from '../temp.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const SCRIPT = path('../../../node_modules/webtorrent/dist/webtorrent.min.js')
const PAGE = path('peer.html')

// Its addresses are random names otherwise, which are asked for by mDNS (RFC 8828).
const PLAIN_CANDIDATES = '--disable-features=WebRtcHideLocalIpsWithMdns'

export interface PageOptions {
  netns?: string
  /** With the settings that people have. */
  asItComes?: boolean
}

export interface PageTorrent {
  infoHash: string
  progress: number
  wires: { type: string; downloaded: number; uploaded: number }[]
}

export interface ChromiumPeer {
  readonly page: Page
  /** Downloads a .torrent file or magnet link; resolves to the SHA-256 of each file by its path. */
  take(source: Uint8Array | string, timeoutMs?: number): Promise<Record<string, string>>
  /** Makes a torrent of one file in the page and seeds it. */
  give(
    name: string,
    bytes: Uint8Array,
    trackers: string[],
  ): Promise<{ infoHash: string; torrentFile: Buffer }>
  torrents(): Promise<PageTorrent[]>
}

/**
 * A page that is a peer. It is served on http://localhost, where WebRTC and crypto.subtle are open
 * to it, by a real server: Chromium lets a page of unknown origin reach no address of a home.
 */
export async function chromiumPeer(t: Cleanup, options: PageOptions = {}): Promise<ChromiumPeer> {
  const { netns, asItComes = false } = options
  if (netns !== undefined) {
    // It looks for its addresses where a way leads to everywhere, and nowhere else.
    await output('/usr/sbin/ip', ['-n', netns, 'route', 'replace', 'default', 'dev', 'eth0'])
  }
  const folder = await tempFolder(t, 'page')
  await copyFile(SCRIPT, join(folder, 'webtorrent.min.js'))
  await copyFile(PAGE, join(folder, 'index.html'))
  const args = ['-u', '-m', 'http.server', '--bind', '127.0.0.1', '--directory', folder, '0']
  const server = start(t, PYTHON, args, { netns })
  const listening = await server.line((line) => line.includes(' port '))
  const port = / port (\d+)/.exec(listening)?.[1]
  const chromium = await browser(t, {
    ...(netns !== undefined && { netns }),
    switches: asItComes ? [] : [PLAIN_CANDIDATES],
  })
  const page = await chromium.newPage()
  const told: string[] = []
  page.on('console', (message) => told.push(message.text()))
  await page.goto(`http://localhost:${port}/`)
  await page.waitForFunction('window.peer')
  const call = async <T>(method: string, ...values: unknown[]): Promise<T> =>
    (await page.evaluate(`window.peer.${method}(...${JSON.stringify(values)})`)) as T
  const state = async () =>
    JSON.stringify([await call('torrents'), await page.evaluate('window.peer.said'), told])
  return {
    page,
    async take(source, timeoutMs = 60_000) {
      const what = typeof source === 'string' ? source : Buffer.from(source).toString('base64')
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => {
        void state().then((said) => late.reject(new Error(`the page is not done: ${said}`)))
      }, timeoutMs)
      try {
        return await Promise.race([call<Record<string, string>>('take', what), late.promise])
      } finally {
        clearTimeout(timer)
      }
    },
    async give(name, bytes, trackers) {
      const content = Buffer.from(bytes).toString('base64')
      const given = await call<{ infoHash: string; torrentFile: string }>(
        'give',
        name,
        content,
        trackers,
      )
      return { infoHash: given.infoHash, torrentFile: Buffer.from(given.torrentFile, 'base64') }
    },
    torrents: () => call('torrents'),
  }
}
