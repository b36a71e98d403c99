/** A release on a web server, or on a site of the swarm through the box's own gateway. */
import { lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { type IncomingMessage, type RequestOptions, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { codeOf, messageOf, printable } from '../../base/errors.ts'
import { reachOf } from '../../base/ip-reach.ts'
import { Unreachable } from './errors.ts'
import type { ReleaseSource } from './source.ts'

const MAX_REDIRECTS = 3

export interface WebOptions {
  /** No byte for so long, and the request is given up. */
  silenceMs: number
}

async function ask(
  url: URL,
  options: RequestOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...options, signal })
    sent.on('response', resolve)
    sent.on('timeout', () => sent.destroy(new Error('it is silent')))
    sent.on('error', reject)
    sent.end()
  })
}

const rangeOf = (offset: number) => (offset > 0 ? { range: `bytes=${offset}-` } : {})

/** Where the body begins; undefined where the answer is none. */
function beginsAt(response: IncomingMessage, offset: number): number | undefined {
  if (response.statusCode === 200) return 0
  if (response.statusCode !== 206) return undefined
  const stated = /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1]
  return Number(stated) === offset ? offset : undefined
}

async function* bodyOf(response: IncomingMessage, where: string): AsyncGenerator<Uint8Array> {
  try {
    yield* response as AsyncIterable<Uint8Array>
  } catch (error) {
    throw new Unreachable(where, codeOf(error) ?? messageOf(error), { cause: error })
  }
}

const INTO_THE_HOUSE = 'it sends us into the house'

const isPublic = (address: string): boolean => reachOf(address) === 'public'
const bareHost = (url: URL | null): string => (url?.hostname ?? '').replace(/^\[|\]$/g, '')

/**
 * Whoever serves a channel on the internet may send us to other servers there, and not to a device of
 * the house, which may take a question from the house for an order. Asked when it is connected to.
 */
const lookupPublic: LookupFunction = (host, options, found) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    const stranger = addresses?.find(({ address }) => !isPublic(address))
    const [first] = addresses ?? []
    if (error) found(error, '')
    else if (stranger || !first) found(new Error(INTO_THE_HOUSE), '')
    else if (options.all === true) found(null, addresses)
    else found(null, first.address, first.family)
  })
}

async function openUrl(
  url: URL,
  options: RequestOptions,
  { where, offset }: { where: string; offset: number },
  signal: AbortSignal,
): Promise<{ response: IncomingMessage; offset: number }> {
  let next = url
  let way: RequestOptions = options
  for (let hops = 0; ; hops++) {
    const response = await ask(next, way, signal).catch((error: unknown) => {
      if (signal.aborted) throw error
      throw new Unreachable(where, codeOf(error) ?? messageOf(error), { cause: error })
    })
    const { location } = response.headers
    const status = response.statusCode ?? 0
    if (location !== undefined && status >= 301 && status <= 308 && hops < MAX_REDIRECTS) {
      const isFar = isPublic(response.socket.remoteAddress ?? '')
      // Its body may have no end.
      response.destroy()
      const target = URL.parse(location, next.href)
      if (isFar) way = { ...options, lookup: lookupPublic }
      const isLiteral = isIP(bareHost(target)) !== 0
      if (!target || (way.lookup !== undefined && isLiteral && !isPublic(bareHost(target)))) {
        throw new Unreachable(where, target ? INTO_THE_HOUSE : 'it sends us to no address')
      }
      next = target
      // A signed file may come from anywhere, but who chose https gets no less.
      const isDowngrade = url.protocol === 'https:' && next.protocol !== 'https:'
      if (!isDowngrade && /^https?:$/.test(next.protocol)) continue
    }
    const begins = beginsAt(response, offset)
    if (begins !== undefined) return { response, offset: begins }
    response.destroy()
    throw new Unreachable(where, `it answered ${status}`)
  }
}

/** @param base the URL of the folder, with or without a slash at its end */
export function channelSource(base: string, { silenceMs }: WebOptions): ReleaseSource {
  // Reports and the journal have it: without the password that may be in it (RFC 3986, 3.2.1).
  const where = base.replace(/^(https?:\/\/)[^/]*@/, '$1')
  const text = base.endsWith('/') ? base : `${base}/`
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new Unreachable(printable(where), 'update.channel is no URL of a web server')
  }
  const folder = new URL(text)
  return {
    where,
    kind: 'channel',
    async open(name, offset, signal) {
      const options = { headers: rangeOf(offset), timeout: silenceMs }
      const found = await openUrl(
        new URL(encodeURIComponent(name), folder),
        options,
        { where, offset },
        signal,
      )
      return { offset: found.offset, body: bodyOf(found.response, where) }
    },
  }
}

export interface SiteSourceDeps {
  /** The gateway's port on loopback. */
  port: number
  /** Host of the site: `<key>-pk.btlink`. */
  host: string
  /** Host of one version of it, by its infohash. */
  versionHost(infoHash: string): string
}

/**
 * A release that is a site. All files come from the version that the first answer names: one that is
 * published meanwhile does not mix with it.
 */
export function siteSource(deps: SiteSourceDeps, { silenceMs }: WebOptions): ReleaseSource {
  const { port, host } = deps
  const where = `http://${host}/`
  let from = host
  return {
    where,
    kind: 'site',
    async open(name, offset, signal) {
      const found = await openUrl(
        new URL(`http://127.0.0.1:${port}/${encodeURIComponent(name)}`),
        { headers: { host: from, ...rangeOf(offset) }, timeout: silenceMs },
        { where, offset },
        signal,
      )
      const infoHash = found.response.headers['x-btlink-infohash']
      if (from === host && typeof infoHash === 'string' && /^[0-9a-f]{40}$/.test(infoHash))
        from = deps.versionHost(infoHash)
      return { offset: found.offset, body: bodyOf(found.response, where) }
    },
  }
}
