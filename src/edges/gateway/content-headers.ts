/** Headers of content: what every answer of a site carries, and how long it may be kept. */
import type { TorrentFile } from '../../base/metainfo/metainfo.ts'
import { typeByName } from '../http/index.ts'
import type { Exchange } from './exchange.ts'
import { formatPath } from './path.ts'
import type { SiteView } from './site-view.ts'

const IMMUTABLE = 'public, max-age=31536000, immutable'
const MUTABLE = 'public, max-age=60, stale-while-revalidate=86400'

const EXPOSED = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Length',
  'Content-Range',
  'ETag',
  'Link',
  'X-Btlink-Infohash',
  'X-Btlink-Path',
  'X-Btlink-Seq',
  'X-Btlink-Stale',
].join(', ')

/** Any page may read public content; no cookies are ever part of it. */
export const corsHeaders = (): string[] => [
  'Access-Control-Allow-Origin',
  '*',
  'Access-Control-Expose-Headers',
  EXPOSED,
]

export const cacheControl = (isMutable: boolean): string => (isMutable ? MUTABLE : IMMUTABLE)

/** When this version was first seen: the closest to a modification time that a site has. */
export const lastModifiedMs = (view: SiteView): number | undefined =>
  view.resolution?.version?.firstSeenAt

/** `default-src` of the site and its siblings under the same gateway, for `?btlink-src-only`. */
function sourcesOnly({ query, rootAuthority }: Exchange): string[] {
  if (!query.has('btlink-src-only')) return []
  return [
    'Content-Security-Policy',
    `default-src 'self' 'unsafe-inline' data: blob: ${rootAuthority} *.${rootAuthority}`,
  ]
}

/** @param path of what is served, within the torrent */
export function siteHeaders(
  exchange: Exchange,
  view: SiteView,
  path: readonly string[],
  isFolder = false,
): string[] {
  const headers = [
    'X-Btlink-Infohash',
    view.infoHash,
    'X-Btlink-Path',
    formatPath(path, isFolder),
    'X-Content-Type-Options',
    'nosniff',
    'Access-Control-Allow-Origin',
    '*',
    'Access-Control-Expose-Headers',
    EXPOSED,
  ]
  const { resolution } = view
  if (resolution?.seq !== undefined) headers.push('X-Btlink-Seq', String(resolution.seq))
  if (resolution?.freshness === 'stale') headers.push('X-Btlink-Stale', '1')
  if (view.key) headers.push('Vary', 'Accept-Datetime')
  const modified = lastModifiedMs(view)
  if (modified !== undefined) headers.push('Last-Modified', new Date(modified).toUTCString())
  return headers.concat(sourcesOnly(exchange))
}

/** The last component, or what `?filename=` says. */
export function fileName(exchange: Exchange, file: TorrentFile): string {
  const asked = exchange.query.get('filename')
  if (asked !== null && asked !== '') return asked.split(/[/\\]/).at(-1) ?? asked
  return file.path.at(-1) ?? 'file'
}

export const declaredType = (exchange: Exchange, file: TorrentFile): string | undefined =>
  typeByName(fileName(exchange, file))

export const wantsDownload = ({ query }: Exchange): boolean => {
  const value = query.get('download')
  return value !== null && value !== 'false' && value !== '0'
}
