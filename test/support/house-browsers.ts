/** The laptops' browsers: what a person installed in them, and whatever their network tells them. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { browser, CHROMIUM } from './browser.ts'
import type { Box } from './household.ts'
import { FIREFOX, firefoxWindow, type FirefoxWindow } from './marionette.ts'
import { missing, output } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'

const CERTUTIL = '/usr/bin/certutil'

export const withoutBrowsers = (): string | false => missing(CHROMIUM, FIREFOX, CERTUTIL)

export interface Setting {
  /** PEM files of authorities that the person trusts. */
  roots?: readonly string[]
  /** `auto`: WPAD; a URL: what DHCP said of it; without it the network has no proxy. */
  pac?: 'auto' | { url: string }
}

/** A home with these authorities in it, as Chromium looks for them. */
async function home(t: Cleanup, roots: readonly string[]): Promise<string> {
  const folder = await tempFolder(t, 'home')
  const database = join(folder, '.pki/nssdb')
  await mkdir(database, { recursive: true })
  await output(CERTUTIL, ['-N', '-d', `sql:${database}`, '--empty-password'])
  for (const [index, root] of roots.entries()) {
    const trust = ['-n', `root ${index}`, '-t', 'C,,', '-i', root]
    await output(CERTUTIL, ['-A', '-d', `sql:${database}`, ...trust])
  }
  return folder
}

export async function chromiumAt(t: Cleanup, laptop: Box, setting: Setting = {}): Promise<Browser> {
  const { pac, roots = [] } = setting
  const switches: string[] = []
  if (pac === 'auto') switches.push('--proxy-auto-detect')
  else if (pac) switches.push(`--proxy-pac-url=${pac.url}`)
  const env = { HOME: await home(t, roots) }
  return browser(t, { netns: laptop.netns, switches, env })
}

export async function firefoxAt(
  t: Cleanup,
  laptop: Box,
  setting: Setting = {},
): Promise<FirefoxWindow> {
  const { pac, roots = [] } = setting
  const Proxy =
    pac === undefined
      ? { Mode: 'none' }
      : pac === 'auto'
        ? { Mode: 'autoDetect' }
        : { Mode: 'autoConfig', AutoConfigURL: pac.url }
  const policy = { Proxy: { ...Proxy, Locked: true }, Certificates: { Install: roots } }
  const policies = await tempFolder(t, 'policies')
  await writeFile(join(policies, 'policies.json'), JSON.stringify({ policies: policy }))
  const profile = await tempFolder(t, 'firefox')
  return firefoxWindow(t, profile, { policies, netns: laptop.netns })
}
