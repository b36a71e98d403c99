/** The site itself: files, index pages, listings, and what `_redirects` and `404.html` say of missing paths. */
import { createHash } from 'node:crypto'
import { utf8Text } from '../../base/bytes.ts'
import { precondition } from '../http/index.ts'
import type { Content } from './content.ts'
import { cacheControl, siteHeaders } from './content-headers.ts'
import { BadRedirects, Gone, NotCached, NotFound, Withheld } from './errors.ts'
import { answer, torrentOrigin, type Exchange } from './exchange.ts'
import type { FileAnswer, ServeFile } from './file-response.ts'
import { type AnnounceUrls, siteMagnet, torrentMagnet } from './links.ts'
import { listingPage } from './listing.ts'
import { collapseSlashes, formatPath, parsePath } from './path.ts'
import {
  isRedirectStatus,
  matchRedirect,
  MAX_REDIRECTS_BYTES,
  mergeQuery,
  parseRedirects,
  type RedirectRule,
} from './redirects.ts'
import type { SiteView } from './site-view.ts'
import { find, type Folder } from './tree.ts'

export type ServeTree = (exchange: Exchange, view: SiteView) => Promise<void>

const withQuery = (path: string, query: string | undefined): string =>
  query === undefined ? path : `${path}?${query}`

/** Error for a path that is missing with this status. */
function missing(statusCode: number, path: string): Error {
  if (statusCode === 410) return new Gone(path)
  return statusCode === 451 ? new Withheld(path) : new NotFound(path)
}

export function createServeTree(
  { content, serveFile }: { content: Content; serveFile: ServeFile },
  announceUrls: AnnounceUrls,
): ServeTree {
  async function loadRules(exchange: Exchange, view: SiteView): Promise<readonly RedirectRule[]> {
    const file = view.prepared.tree.files.get('_redirects')
    if (!file) return []
    if (file.length > MAX_REDIRECTS_BYTES) {
      throw new BadRedirects(`it is larger than ${MAX_REDIRECTS_BYTES} bytes`)
    }
    const whole = { start: 0, end: file.length }
    if (exchange.onlyIfCached && !content.isLocal(view, file)) throw new NotCached()
    const text = utf8Text(await content.bytes(view, file, whole, exchange.signal()))
    if (text === undefined) throw new BadRedirects('it is not UTF-8')
    return parseRedirects(text)
  }

  async function rules(exchange: Exchange, view: SiteView): Promise<readonly RedirectRule[]> {
    view.prepared.redirects ??= await loadRules(exchange, view)
    return view.prepared.redirects
  }

  function redirect(exchange: Exchange, view: SiteView, statusCode: number, location: string) {
    const headers = siteHeaders(exchange, view, [])
    headers.push('Cache-Control', cacheControl(exchange.isMutable), 'Location', location)
    answer(exchange, statusCode, headers)
  }

  function serveListing(
    exchange: Exchange,
    view: SiteView,
    folder: Folder,
    segments: readonly string[],
  ): void {
    const body = listingPage({
      folder,
      segments,
      magnet: torrentMagnet(exchange, view, announceUrls),
      siteMagnet: view.key && siteMagnet(exchange, view.key, announceUrls),
      infoHash: view.infoHash,
      origin: torrentOrigin(exchange, view.infoHash),
    })
    const etag = `"${createHash('sha1').update(body).digest('hex')}"`
    const headers = siteHeaders(exchange, view, segments, true)
    // The page itself may get a new look, whatever the infohash: it is never immutable.
    headers.push('ETag', etag, 'Cache-Control', cacheControl(true))
    const verdict = precondition(exchange.req.headers, { etag })
    if (verdict === 'not-modified') {
      answer(exchange, 304, headers)
      return
    }
    headers.push('Content-Type', 'text/html; charset=utf-8')
    if (!exchange.query.has('btlink-src-only')) {
      headers.push('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
    }
    answer(exchange, 200, headers, body)
  }

  /** Serves what stands at a path, with a status; false where there is nothing. */
  async function serveAt(
    exchange: Exchange,
    view: SiteView,
    path: string,
    statusCode: number,
  ): Promise<boolean> {
    const { segments, isFolder } = parsePath(path)
    const { file, folder } = find(view.prepared.tree, segments)
    const index = folder?.files.get('index.html')
    const chosen = isFolder || !file ? index : file
    if (!chosen) return false
    await serveFile(exchange, { view, file: chosen, statusCode } satisfies FileAnswer)
    return true
  }

  async function serveMissing(exchange: Exchange, view: SiteView, segments: readonly string[]) {
    const { target } = exchange
    const match = matchRedirect(await rules(exchange, view), target.path)
    if (match && isRedirectStatus(match.status)) {
      redirect(exchange, view, match.status, mergeQuery(match.to, target.query))
      return
    }
    if (match) {
      const [path = '/'] = match.to.split(/[?#]/, 1)
      if (await serveAt(exchange, view, path, match.status)) return
      throw missing(match.status, target.path)
    }
    // The nearest page that a site keeps for this, as for IPFS gateways and static hosts.
    for (let depth = Math.max(0, segments.length - 1); depth >= 0; depth--) {
      const { file } = find(view.prepared.tree, [...segments.slice(0, depth), '404.html'])
      if (file) {
        await serveFile(exchange, { view, file, statusCode: 404 })
        return
      }
    }
    throw new NotFound(target.path)
  }

  return async (exchange, view) => {
    const { target, query } = exchange
    const collapsed = collapseSlashes(target.path)
    if (collapsed !== undefined) {
      parsePath(collapsed)
      redirect(exchange, view, 308, withQuery(collapsed, target.query))
      return
    }
    const { segments, isFolder } = parsePath(target.path)
    const { file, folder } = find(view.prepared.tree, segments)
    if (file && !isFolder) {
      await serveFile(exchange, { view, file, statusCode: 200 })
      return
    }
    if (!folder) {
      await serveMissing(exchange, view, segments)
      return
    }
    if (!isFolder) {
      redirect(exchange, view, 308, withQuery(formatPath(segments, true), target.query))
      return
    }
    const index = folder.files.get('index.html')
    if (index && !query.has('btlink-no-autoindex')) {
      await serveFile(exchange, { view, file: index, statusCode: 200 })
      return
    }
    serveListing(exchange, view, folder, segments)
  }
}
