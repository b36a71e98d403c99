/** The Range header (RFC 9110 §14): which bytes of a representation were asked. */

/** Half-open, within the representation. */
export interface Span {
  start: number
  end: number
}

/** `whole`: no header, or one that a server may ignore; `none`: 416. */
export type RangeAnswer = 'whole' | 'none' | Span[]

// RFC 9110 §14.2 lets a server ignore many small or overlapping ranges: each costs a part header.
const MAX_SPANS = 32
const SPEC = /^(\d{0,15})-(\d{0,15})$/

function spanOf(first: string, last: string, length: number): Span | 'invalid' | 'outside' {
  if (first === '') {
    if (last === '') return 'invalid'
    const suffix = Number(last)
    return suffix === 0 ? 'outside' : { start: Math.max(0, length - suffix), end: length }
  }
  const start = Number(first)
  const end = last === '' ? length : Number(last) + 1
  if (end <= start && last !== '') return 'invalid'
  return start >= length ? 'outside' : { start, end: Math.min(end, length) }
}

/** @param length bytes of the representation */
export function parseRange(header: string | undefined, length: number): RangeAnswer {
  // An empty file has no byte to ask for; some clients add Range to everything (RFC 9110 §14.2: MAY ignore).
  if (header === undefined || length === 0) return 'whole'
  const equals = header.indexOf('=')
  if (equals < 0 || header.slice(0, equals).trim().toLowerCase() !== 'bytes') return 'whole'
  const spans: Span[] = []
  let asked = 0
  let total = 0
  for (const part of header.slice(equals + 1).split(',')) {
    const spec = part.trim()
    if (spec === '') continue
    const match = SPEC.exec(spec)
    if (!match || ++asked > MAX_SPANS) return 'whole'
    const span = spanOf(match[1] ?? '', match[2] ?? '', length)
    if (span === 'invalid') return 'whole'
    if (span === 'outside') continue
    spans.push(span)
    total += span.end - span.start
  }
  if (asked === 0) return 'whole'
  if (spans.length === 0) return 'none'
  // More bytes than the file has can only be overlap: the whole is cheaper and as good.
  if (spans.length > 1 && total >= length) return 'whole'
  return spans
}

export const contentRange = (span: Span, length: number): string =>
  `bytes ${span.start}-${span.end - 1}/${length}`
