/** `-44` hosts: one immutable DHT item (BEP 44), as it is or in a form that scripts can read. */
import { decode, type BValue } from '../../base/bencode.ts'
import { toHex, utf8Text } from '../../base/bytes.ts'
import type { LinkResolver } from '../../base/ports/content.ts'
import { precondition } from '../http/index.ts'
import { cacheControl, corsHeaders } from './content-headers.ts'
import { within } from './deadline.ts'
import { BadFormat, NotFound, PreconditionFailed, Timeout } from './errors.ts'
import { answer, type Handler } from './exchange.ts'

type JsonValue = string | number | JsonValue[] | { [key: string]: JsonValue }

/** Text where the bytes are UTF-8, else their hex: what JSON can hold. Big integers as strings. */
function toJson(value: BValue): JsonValue {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return utf8Text(value) ?? toHex(value)
  if (Array.isArray(value)) return value.map(toJson)
  const entries = [...value].map(([key, item]): [string, JsonValue] => [
    utf8Text(Buffer.from(key, 'latin1')) ?? toHex(Buffer.from(key, 'latin1')),
    toJson(item),
  ])
  return Object.fromEntries(entries)
}

function convert(item: Uint8Array, format: string): { type: string; body: Uint8Array | string } {
  switch (format) {
    case 'raw':
      return { type: 'application/x-bencode', body: item }
    case 'hex':
      return { type: 'text/plain; charset=utf-8', body: toHex(item) }
    case 'json':
      return { type: 'application/json', body: JSON.stringify(toJson(decode(item))) }
    case 'string': {
      const value = decode(item)
      if (!(value instanceof Uint8Array)) throw new BadFormat('this item is no byte string')
      const isText = utf8Text(value) !== undefined
      const type = isText ? 'text/plain; charset=utf-8' : 'application/octet-stream'
      return { type, body: value }
    }
    default:
      throw new BadFormat('an item comes as format=raw, string, json or hex')
  }
}

export function createItemHandler(
  resolver: LinkResolver,
  { waitTimeoutMs }: { waitTimeoutMs: number },
): Handler {
  return async (exchange) => {
    const { name, target, query, onlyIfCached, req } = exchange
    if (name.kind !== 'immutable') return false
    if (target.path !== '/') throw new NotFound(target.path)
    const format = query.get('format') ?? 'raw'
    const late = () => new Timeout('this item', waitTimeoutMs / 1000)
    const item = await within(
      { ms: waitTimeoutMs, signal: exchange.signal(), late },
      async (signal) => resolver.immutable(name.target, { localOnly: onlyIfCached }, signal),
    )
    const { type, body } = convert(item, format)
    const etag = format === 'raw' ? `"${name.target}"` : `"${name.target}.${format}"`
    const headers = [
      'ETag',
      etag,
      'Cache-Control',
      cacheControl(exchange.isMutable),
      ...corsHeaders(),
    ]
    headers.push('X-Content-Type-Options', 'nosniff')
    const verdict = precondition(req.headers, { etag })
    if (verdict === 'failed') throw new PreconditionFailed()
    if (verdict === 'not-modified') answer(exchange, 304, headers)
    else answer(exchange, 200, [...headers, 'Content-Type', type], body)
    return true
  }
}
