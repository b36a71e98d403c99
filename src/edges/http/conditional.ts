/** Preconditions of a request (RFC 9110 §13), evaluated in the order of §13.2.2. */
import type { IncomingHttpHeaders } from 'node:http'

export interface Validators {
  /** With its quotes; strong unless it starts with `W/`. */
  etag: string
  lastModifiedMs?: number
}

const ETAGS = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g
const weak = (etag: string): string => (etag.startsWith('W/') ? etag.slice(2) : etag)

function listed(header: string, matches: (candidate: string) => boolean): boolean {
  return header.trim() === '*' || (header.match(ETAGS) ?? []).some(matches)
}

/** Seconds, as dates on the wire have no finer part. */
const seconds = (ms: number): number => Math.floor(ms / 1000)

function dateOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const ms = Date.parse(header)
  return Number.isNaN(ms) ? undefined : seconds(ms)
}

/** For GET and HEAD: answer the content, 304, or 412. */
export function precondition(
  headers: IncomingHttpHeaders,
  { etag, lastModifiedMs }: Validators,
): 'proceed' | 'not-modified' | 'failed' {
  const modified = lastModifiedMs === undefined ? undefined : seconds(lastModifiedMs)
  const ifMatch = headers['if-match']
  if (ifMatch !== undefined) {
    // Strong comparison: a weak tag never matches here.
    if (!listed(ifMatch, (tag) => tag === etag && !etag.startsWith('W/'))) return 'failed'
  } else {
    const since = dateOf(headers['if-unmodified-since'])
    if (since !== undefined && modified !== undefined && modified > since) return 'failed'
  }
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined) {
    return listed(ifNoneMatch, (tag) => weak(tag) === weak(etag)) ? 'not-modified' : 'proceed'
  }
  const since = dateOf(headers['if-modified-since'])
  if (since !== undefined && modified !== undefined && modified <= since) return 'not-modified'
  return 'proceed'
}

/** Whether Range may be honoured: no If-Range, or one that names exactly this representation. */
export function rangeApplies(headers: IncomingHttpHeaders, validators: Validators): boolean {
  const ifRange = headers['if-range']
  if (ifRange === undefined) return true
  const text = String(ifRange).trim()
  if (text.startsWith('"')) return text === validators.etag
  const date = dateOf(text)
  return (
    date !== undefined &&
    validators.lastModifiedMs !== undefined &&
    date === seconds(validators.lastModifiedMs)
  )
}
