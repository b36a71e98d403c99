/** The site that a fresh box publishes under its own key, and the lines that say where it is. */
import { fileURLToPath } from 'node:url'
import { EMPTY } from '../base/bytes.ts'
import { codeOf, messageOf } from '../base/errors.ts'
import type { PublicKey } from '../base/hashes.ts'
import { hostOf } from '../base/names/index.ts'
import type { Publisher } from '../base/ports/content.ts'
import type { DnsEndpoint } from '../base/ports/house-dns.ts'
import type { Log } from '../base/ports/log.ts'
import type { KeyStore, SiteStore } from '../base/ports/store.ts'

/** The box's own key. */
const BOX_KEY = 'box'
const LOOPBACK = /^(?:127\.|::1$)/
const FOLDER = fileURLToPath(new URL('./welcome', import.meta.url))

export interface WelcomeDeps {
  keys: KeyStore
  sites: SiteStore
  publisher: Publisher
  log: Log
}

/**
 * Publishes once: a box whose owner gave its key another site is left alone. Returns the site's host;
 * undefined where its key is damaged and nothing was published under it.
 */
export async function publishWelcome(
  { keys, sites, publisher, log }: WelcomeDeps,
  tld: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  let publicKey: PublicKey
  try {
    publicKey = await keys.ensure(BOX_KEY)
  } catch (error) {
    // A house whose welcome page cannot be published again still has all its other sites.
    if (codeOf(error) !== 'BTL_ERR_STORE_KEY_DAMAGED') throw error
    log.error({ code: codeOf(error), error: messageOf(error) }, 'the key of the box is damaged')
    const site = sites.sites().find(({ keyName }) => keyName === BOX_KEY)
    return site && hostOf({ kind: 'key', publicKey: site.publicKey, salt: site.salt }, tld)
  }
  if (!sites.site(publicKey, EMPTY)) {
    await publisher.folder(FOLDER, { keyName: BOX_KEY, title: 'Welcome', wait: false }, signal)
  }
  return hostOf({ kind: 'key', publicKey, salt: EMPTY }, tld)
}

export interface BannerFacts {
  welcomeHost: string | undefined
  tld: string
  httpPort: number
  /** 0 where the API does not listen. */
  apiPort: number
  /** Where the resolver answers. */
  dns: readonly DnsEndpoint[]
  /** Announce addresses of the box's own tracker. */
  trackers: string[]
}

export function banner({
  welcomeHost,
  tld,
  httpPort,
  apiPort,
  dns,
  trackers,
}: BannerFacts): string {
  // Who types 80 has typed too much.
  const port = httpPort === 80 ? '' : `:${httpPort}`
  const lines = [
    'btlinkd is ready.',
    '',
    ...(welcomeHost === undefined
      ? []
      : [`  welcome site  http://${welcomeHost}.localhost${port}/`]),
    `  gateway       http://${tld}.localhost${port}/`,
    `  set-up        http://setup.${tld}.localhost:${httpPort}/`,
  ]
  if (apiPort > 0) lines.push(`  API           http://localhost:${apiPort}/api/health`)
  const resolver = dns.find(({ address }) => !LOOPBACK.test(address)) ?? dns[0]
  if (resolver) lines.push(`  DNS           ${resolver.address} port ${resolver.port}`)
  if (trackers[0] !== undefined) lines.push(`  tracker       ${trackers[0]}`)
  lines.push('', '  stop with Ctrl-C')
  return lines.join('\n')
}
