/** The `_btlink` TXT record that gives a domain of the ordinary web a site. */
import { isBtlError, printable } from '../errors.ts'
import type { SwarmHints } from '../ports/torrent-engine.ts'
import { BadValue } from './errors.ts'
import { isMagnet, parseMagnet } from './magnet.ts'
import type { Name } from './name.ts'
import { nameOfHost } from './parse-name.ts'

const MAX_CHARACTERS = 16_384
/** A message carries thousands of short texts; each is parsed. */
const MAX_RECORDS = 256
const DNSLINK = /^dnslink=/i
const SCHEME = /^(?:btlink|https?):\/\//i

export interface LinkTarget {
  name: Name
  hints: SwarmHints
}

/**
 * Reads one value: a magnet link, or a btlink name with or without scheme and trailing dot. A path
 * is refused, because a domain stands for a whole site.
 * @throws BadMagnet, BadName or BadValue (400)
 */
export function parseLinkValue(value: string, tld: string): LinkTarget {
  const text = value.trim().replace(DNSLINK, '').trim()
  if (isMagnet(text)) {
    const { name, hints } = parseMagnet(text)
    return { name, hints }
  }
  const host = text.replace(SCHEME, '').replace(/\/$/, '')
  const name = nameOfHost(host, tld)
  if (name.kind === 'none' || name.kind === 'root') {
    throw new BadValue(printable(host), 'a link record', 'it names no site')
  }
  return { name, hints: {} }
}

/**
 * The site that a domain's records name. The strings of one record are joined without separator
 * (as RFC 7208 §3.3 has it for SPF); of several records the first valid one in sorted order counts, so
 * that every box opens the same site whatever order the answer came in. Undefined where none is valid.
 */
export function readLinkRecords(
  records: readonly (readonly string[])[],
  tld: string,
): LinkTarget | undefined {
  const values = records
    .map((strings) => strings.join(''))
    .filter((value) => value.length <= MAX_CHARACTERS)
    .sort()
    .slice(0, MAX_RECORDS)
  for (const value of values) {
    try {
      return parseLinkValue(value, tld)
    } catch (error) {
      if (!isBtlError(error)) throw error
    }
  }
  return undefined
}
