/** Request path to names within a torrent: each segment on its own, so that `%2F` never becomes a separator. */
import { BadPath } from './errors.ts'

export interface SitePath {
  /** Decoded, without the empty one after a trailing slash. */
  segments: string[]
  /** Ends in `/`, or is the root. */
  isFolder: boolean
}

// A torrent path is shorter by far; more would only make lookups slow.
const MAX_SEGMENTS = 256

function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new BadPath('a percent sign that escapes nothing, or bytes that are not UTF-8')
  }
}

/**
 * @param path raw, starts with `/`
 * @throws BadPath for bad escapes, NUL, `.` and `..`
 */
export function parsePath(path: string): SitePath {
  if (!path.startsWith('/')) throw new BadPath('it does not start with a slash')
  const raw = path.slice(1).split('/')
  if (raw.length > MAX_SEGMENTS) throw new BadPath('too many slashes')
  const isFolder = raw.at(-1) === ''
  if (isFolder) raw.pop()
  const segments = raw.map(decodeSegment)
  for (const segment of segments) {
    if (segment.includes('\0')) throw new BadPath('a NUL byte')
    if (segment === '.' || segment === '..') throw new BadPath('a dot segment')
  }
  return { segments, isFolder }
}

/** `/a%20b/c`: what a client sends for these names. */
export const formatPath = (segments: readonly string[], isFolder = false): string =>
  `/${segments.map((segment) => encodeURIComponent(segment.toWellFormed())).join('/')}${
    isFolder && segments.length > 0 ? '/' : ''
  }`

/** The path with runs of slashes made one; undefined where there are none. */
export function collapseSlashes(path: string): string | undefined {
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : undefined
}
