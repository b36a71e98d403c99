/** What answers a request to a content host: handlers asked in turn. */
import { encode, encodeRawDict } from '../../base/bencode.ts'
import { fromHex } from '../../base/bytes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Library, LinkResolver } from '../../base/ports/content.ts'
import type { SignedItem } from '../../base/ports/dht-node.ts'
import { createServeArchive } from './archive.ts'
import { createContent } from './content.ts'
import { corsHeaders, siteHeaders } from './content-headers.ts'
import { BadMethod, NotFound } from './errors.ts'
import { answer, answerError, type Exchange, type Handler } from './exchange.ts'
import { createServeFile } from './file-response.ts'
import { createItemHandler } from './item-handler.ts'
import { type AnnounceUrls, torrentFile } from './links.ts'
import { createReadyAnswers, type ReadyAnswers } from './ready-answers.ts'
import { createReservedHandler } from './reserved.ts'
import { createSiteViews, type SiteView } from './site-view.ts'
import { createServeTree } from './tree-handler.ts'
import { createTimeGate } from './versions.ts'

export interface ContentChain {
  handle(exchange: Exchange): Promise<void>
  ready: ReadyAnswers
  /** Lets go of what nobody asked for lately; called now and then. */
  sweep(): void
  close(): Promise<void>
  /** Bytes of small files in memory. */
  memoryBytes(): number
}

const ALLOWED = 'GET, HEAD, OPTIONS'
const PREFLIGHT_SECONDS = '86400'
const ALLOWED_HEADERS =
  'Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, Cache-Control, Accept-Datetime, X-Requested-With'

/** OPTIONS is the preflight of CORS or a question for methods; anything that would write is refused. */
const methods: Handler = (exchange) => {
  const { method } = exchange.req
  if (method === 'GET' || method === 'HEAD') return false
  if (method === 'OPTIONS') {
    answer(exchange, 204, [
      'Allow',
      ALLOWED,
      'Access-Control-Allow-Methods',
      ALLOWED,
      'Access-Control-Allow-Headers',
      ALLOWED_HEADERS,
      'Access-Control-Max-Age',
      PREFLIGHT_SECONDS,
      'Cache-Control',
      `public, max-age=${PREFLIGHT_SECONDS}`,
      ...corsHeaders(),
    ])
  } else answerError(exchange, new BadMethod(method ?? 'this'), ['Allow', ALLOWED])
  return true
}

/** The signed record as DHT nodes pass it on (BEP 44). */
function signedRecord(item: SignedItem): Uint8Array {
  const entries = new Map([
    ['k', encode(fromHex(item.publicKey))],
    ['seq', encode(item.seq)],
    ['sig', encode(item.signature)],
    ['v', item.value],
  ])
  if (item.salt.length > 0) entries.set('salt', encode(item.salt))
  return encodeRawDict(entries)
}

export interface ChainDeps {
  resolver: LinkResolver
  library: Library
  clock: Clock
  announceUrls: AnnounceUrls
}

export function createContentChain(
  deps: ChainDeps,
  limits: { waitTimeoutMs: number; memoryBytes: number },
): ContentChain {
  const { resolver, announceUrls } = deps
  const content = createContent(deps, limits)
  const views = createSiteViews(deps, limits)
  const ready = createReadyAnswers(content.memory, deps.clock)
  const serveFile = createServeFile(content, ready)
  const serveTree = createServeTree({ content, serveFile }, announceUrls)
  const serveArchive = createServeArchive(content)

  async function view(exchange: Exchange): Promise<SiteView> {
    const { name, onlyIfCached, hints } = exchange
    if (name.kind === 'immutable') throw new NotFound(exchange.target.path)
    return views.view(name, { localOnly: onlyIfCached, hints }, exchange.signal())
  }

  const formats: Handler = async (exchange) => {
    const format = exchange.query.get('format')
    if (format === null || exchange.name.kind === 'immutable') return false
    if (format === 'tar' || format === 'zip') {
      await serveArchive(exchange, await view(exchange), format)
      return true
    }
    if (format === 'torrent') {
      const found = await view(exchange)
      const headers = siteHeaders(exchange, found, [])
      headers.push('Content-Type', 'application/x-bittorrent', 'Cache-Control', 'no-cache')
      answer(exchange, 200, headers, torrentFile(exchange, found, announceUrls))
      return true
    }
    if (format === 'bep46' && exchange.name.kind === 'key') {
      const found = await view(exchange)
      const { publicKey, salt } = exchange.name
      const record = found.resolution?.version ?? resolver.versions(publicKey, salt)[0]
      if (!record) throw new NotFound('?format=bep46')
      const headers = siteHeaders(exchange, found, [])
      headers.push('Content-Type', 'application/x-bencode', 'Cache-Control', 'no-cache')
      answer(exchange, 200, headers, signedRecord(record))
      return true
    }
    // Any other value is the site's own business.
    return false
  }

  // Refusals first, then what no torrent may shadow, then what needs no torrent, then the torrent.
  const chain: readonly Handler[] = [
    methods,
    createReservedHandler({ resolver, announceUrls, serveFile, view }),
    createItemHandler(resolver, limits),
    createTimeGate(resolver),
    formats,
    async (exchange) => {
      await serveTree(exchange, await view(exchange))
      return true
    },
  ]

  return {
    async handle(exchange) {
      for (const handler of chain) if (await handler(exchange)) return
    },
    ready,
    sweep() {
      views.sweep()
      ready.sweep()
      content.sweep()
    },
    close: async () => content.close(),
    memoryBytes: () => content.memory.size(),
  }
}
