/** A page with a data channel, in a browser with its usual settings: addresses behind `.local` names. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { PYTHON } from '../../support/libtorrent.ts'
import { start } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'

const PAGE = fileURLToPath(new URL('page.html', import.meta.url))

export interface PagePeer {
  call<Result>(method: string, ...values: unknown[]): Promise<Result>
}

/** Pages of one browser, served on http://localhost of its network. */
export async function pageServer(t: Cleanup, netns?: string): Promise<string> {
  const folder = await tempFolder(t, 'page')
  await copyFile(PAGE, join(folder, 'index.html'))
  const args = ['-u', '-m', 'http.server', '--bind', '127.0.0.1', '--directory', folder, '0']
  const server = start(t, PYTHON, args, { netns })
  const listening = await server.line((line) => line.includes(' port '))
  return `http://localhost:${/ port (\d+)/.exec(listening)?.[1]}/`
}

export async function pagePeer(browser: Browser, url: string): Promise<PagePeer> {
  const page = await browser.newPage()
  await page.goto(url)
  await page.waitForFunction('window.peer')
  return {
    call: async <Result>(method: string, ...values: unknown[]) =>
      (await page.evaluate(`window.peer.${method}(...${JSON.stringify(values)})`)) as Result,
  }
}
