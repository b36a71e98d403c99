/** `/.btlink/…` on content hosts: what the box says about a site. Nothing of it ever comes from a torrent. */
import { createHash } from 'node:crypto'
import { latin1 } from '../../base/bytes.ts'
import type { TorrentFile } from '../../base/metainfo/metainfo.ts'
import type { LinkResolver } from '../../base/ports/content.ts'
import { contentDisposition, precondition } from '../http/index.ts'
import { cacheControl, corsHeaders, siteHeaders } from './content-headers.ts'
import { NotFound } from './errors.ts'
import { answer, torrentOrigin, type Exchange, type Handler } from './exchange.ts'
import type { ServeFile } from './file-response.ts'
import { type AnnounceUrls, siteMagnet, torrentFile, torrentMagnet, webSeedUrl } from './links.ts'
import type { SiteView } from './site-view.ts'
import { RESERVED_NAME } from './tree.ts'
import { versionsJson } from './versions.ts'
import { createWebSeedFiles } from './web-seed.ts'

const RESERVED = `/${RESERVED_NAME}`
const WEB_SEED = `${RESERVED}/webseed/`
// A pad file is shorter than a piece (BEP 47); more is not worth making zeros for.
const MAX_PAD_BYTES = 64 * 1024 * 1024

/** Any spelling of it, so that no torrent can hide a file behind `/%2ebtlink/`. */
function isReserved(path: string): boolean {
  const first = path.replace(/^\/+/, '').split('/', 1)[0] ?? ''
  if (first === RESERVED_NAME) return true
  if (!first.includes('%')) return false
  try {
    return decodeURIComponent(first) === RESERVED_NAME
  } catch {
    return false
  }
}

export interface ReservedParts {
  resolver: LinkResolver
  announceUrls: AnnounceUrls
  serveFile: ServeFile
  view: (exchange: Exchange) => Promise<SiteView>
}

function infoJson(exchange: Exchange, view: SiteView, announceUrls: AnnounceUrls): string {
  const { metainfo } = view.torrent
  const { key, resolution } = view
  const origin = torrentOrigin(exchange, view.infoHash)
  return JSON.stringify({
    infohash: view.infoHash,
    name: metainfo.name,
    length: metainfo.totalLength,
    pieceLength: metainfo.pieceLength,
    pieces: metainfo.pieceCount,
    private: metainfo.isPrivate,
    files: metainfo.files
      .filter((file) => !file.isPad)
      .map((file) => ({ path: file.path.join('/'), length: file.length })),
    magnet: torrentMagnet(exchange, view, announceUrls),
    urls: {
      immutable: `${origin}/`,
      torrent: `${origin}${RESERVED}/site.torrent`,
      webseed: webSeedUrl(exchange, view),
    },
    ...(key && {
      key: {
        publicKey: key.publicKey,
        salt: Buffer.from(key.salt).toString('hex'),
        saltText: latin1(key.salt),
        magnet: siteMagnet(exchange, key, announceUrls),
        seq: resolution?.seq,
        freshness: resolution?.freshness,
        ageSeconds: resolution?.ageSeconds,
      },
    }),
  })
}

export function createReservedHandler(parts: ReservedParts): Handler {
  const { resolver, announceUrls, serveFile } = parts
  const webSeeds = createWebSeedFiles()

  function json(exchange: Exchange, body: string, view?: SiteView): void {
    const headers = view ? siteHeaders(exchange, view, []) : corsHeaders()
    headers.push('Content-Type', 'application/json')
    headers.push('Cache-Control', exchange.isMutable ? 'no-cache' : 'public, max-age=300')
    answer(exchange, 200, headers, body)
  }

  function serveTorrent(exchange: Exchange, view: SiteView): void {
    const body = torrentFile(exchange, view, announceUrls)
    // The trackers in it depend on where the box is reached.
    const etag = `"${createHash('sha1').update(body).digest('hex')}"`
    const headers = siteHeaders(exchange, view, [])
    headers.push('ETag', etag, 'Cache-Control', cacheControl(true))
    if (precondition(exchange.req.headers, { etag }) === 'not-modified') {
      answer(exchange, 304, headers)
      return
    }
    const fileName = `${view.torrent.metainfo.name}.torrent`
    headers.push('Content-Type', 'application/x-bittorrent')
    headers.push('Content-Disposition', contentDisposition('attachment', fileName))
    answer(exchange, 200, headers, body)
  }

  /** Pad files exist on no disk: zeros, which is all that a client without BEP 47 wants of them. */
  function servePad(exchange: Exchange, view: SiteView, pad: TorrentFile): void {
    if (pad.length > MAX_PAD_BYTES) throw new NotFound(exchange.target.path)
    const headers = siteHeaders(exchange, view, [])
    headers.push('Content-Type', 'application/octet-stream')
    headers.push('Cache-Control', cacheControl(exchange.isMutable))
    answer(exchange, 200, headers, Buffer.alloc(pad.length))
  }

  async function serveWebSeed(exchange: Exchange): Promise<void> {
    const { target } = exchange
    const view = await parts.view(exchange)
    const rest = target.path.slice(WEB_SEED.length)
    const file = webSeeds.find(view.torrent.metainfo, { rest, query: target.query })
    if (!file) throw new NotFound(target.path)
    if (file.isPad) servePad(exchange, view, file)
    else await serveFile(exchange, { view, file, statusCode: 200 })
  }

  return async (exchange) => {
    const { name, target } = exchange
    if (!isReserved(target.path)) return false
    if (target.path.startsWith(WEB_SEED) && name.kind !== 'immutable') {
      await serveWebSeed(exchange)
      return true
    }
    const path = target.path.startsWith(`${RESERVED}/`) ? target.path.slice(RESERVED.length) : ''
    if (path === '/info.json' && name.kind !== 'immutable') {
      const view = await parts.view(exchange)
      json(exchange, infoJson(exchange, view, announceUrls), view)
    } else if (path === '/site.torrent' && name.kind !== 'immutable') {
      serveTorrent(exchange, await parts.view(exchange))
    } else if (path === '/versions.json' && name.kind === 'key') {
      json(exchange, versionsJson(exchange, resolver.versions(name.publicKey, name.salt)))
    } else throw new NotFound(target.path)
    return true
  }
}
