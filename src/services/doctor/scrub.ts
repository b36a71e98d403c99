/**
 * Takes out of text what strangers must not read: secrets in every spelling that is usual, names that
 * the house visits, and addresses as far as they say who it is. It would rather take too much.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { reachOf } from '../../base/ip-reach.ts'
import { spellingsOf } from './spellings.ts'

export interface ScrubOptions {
  /** What must not be there in any spelling. */
  secrets: readonly Uint8Array[]
  /** Leave names of sites and hosts in. */
  withNames: boolean
  /** Names of one label, which look like any other word: of this box. */
  hosts?: readonly string[]
  /** Words that look like names of hosts and are none, or are the same in every house. */
  keep: ReadonlySet<string>
}

export type Scrub = (text: string) => string

const HIDDEN = '***'
/** What is shorter is a part of too many words. */
const MIN_HOST = 4
const PEM = /-----BEGIN [A-Z0-9 ]+-----[\s\S]*?(?:-----END [A-Z0-9 ]+-----|$)/g
/** RFC 3986 §3.2.1: what stands before the last @, since people write passwords as they are. */
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>]{1,300}@/gi
const HEADERS =
  /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)(["']?\s*[:=]\s*)[^\r\n]*/gi
const LABELLED =
  /\b([\w.-]{0,40}(?:secret|passw(?:or)?d|passphrase|psk|token|hmac|private_?key|nsec|api_?key|credential|claim_?code|wep_key)[\w.-]{0,40})(["']?\s*[:=]\s*)("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,;}\]]+(?:[ \t]+[^\s,;}\]=:"']+(?=[\s,;}\]]|$))*)/gi
/** NIP-19. */
const NSEC = /\bnsec1[02-9ac-hj-np-z]{20,}/gi
const NAMED =
  /\b(title|folder|host|hosts|hostname|ssid|SSID|domain|site|file|name|keyName|key|url|qname|referer|sni)(=|"\s*:\s*)("(?:[^"\\\n]|\\.)*"|[^\s,}]+)/g
const HOST =
  /(?<![\p{L}\p{N}_.-])(?:[\p{L}\p{N}_](?:[\p{L}\p{N}_-]{0,62})\.)+[\p{L}][\p{L}\p{N}-]{1,62}(?![\p{L}\p{N}_-])/giu
const MAIL = new RegExp(`[\\w.+%-]{1,64}@(${HOST.source})`, 'giu')
/** Hex, base32, base36, base58, base64: nothing that people write is that long without a break. */
const RANDOM = /[A-Za-z0-9+_=%-][A-Za-z0-9+_=%/-]{23,}/g
const MAC = /\b([0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2})(?:[:-][0-9a-f]{2}){3}\b/gi
const V4 = /(?<![\d.])(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}(?![\d.]*\d)/g
const V6 = /(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])/gi
/** Ends of files and units; none of them is a top-level domain. */
const NOT_A_DOMAIN =
  /\.(?:service|socket|target|timer|slice|mount|automount|scope|device|sock|json|yaml|yml|log|txt|ts|js|mjs|cjs|db|key|pem|crt|benc|conf|gz|tmp|efi|raw|ko|html|css|lock|node|xml|toml|localhost|invalid|btlinkd)$/i

const isRandom = (token: string): boolean => {
  if (/^[0-9a-f]{24,}$/i.test(token)) return /\d/.test(token)
  // Paths and words with hyphens have breaks; a secret is one long piece, with digits in it.
  const pieces = token.split(/[/_=-]/)
  return pieces.some((piece) => piece.length >= 20 && /\d/.test(piece) && /[a-z]/i.test(piece))
}

/** `2001:db8:x` */
function shortV6(text: string): string {
  if (!isIPv6(text) || text === '::' || reachOf(text) === 'loopback') return text
  const [first = '', second = ''] = text.split(':')
  return `${first}:${second}:x`
}

export function createScrub({ secrets, withNames, hosts = [], keep }: ScrubOptions): Scrub {
  // Of this bundle alone: the same name can be followed in it, and not from one bundle to the next.
  const salt = randomBytes(16)
  const mark = (kind: string, text: string): string =>
    `<${kind} ${createHmac('sha256', salt).update(text.toLowerCase()).digest('hex').slice(0, 8)}>`
  const spelled = secrets.flatMap(spellingsOf)

  const words = hosts
    .filter((host) => host.length >= MIN_HOST && !keep.has(host))
    .map((host) => new RegExp(`(?<![\\w-])${host.replace(/[^\w-]/g, '\\$&')}(?![\\w-])`, 'gi'))

  const names = (text: string): string =>
    words
      .reduce((left, word) => left.replace(word, (host) => mark('name', host)), text)
      .replace(NAMED, (_, key: string, sign: string, value: string) =>
        /^"?(?:\d*|true|false|null|btlinkd[\w.-]*)"?$/.test(value)
          ? `${key}${sign}${value}`
          : `${key}${sign}${value.startsWith('"') ? `"${mark('name', value)}"` : mark('name', value)}`,
      )
      .replace(MAIL, (mail, host: string) => (NOT_A_DOMAIN.test(host) ? mail : mark('name', mail)))
      .replace(HOST, (host) =>
        keep.has(host.toLowerCase()) || NOT_A_DOMAIN.test(host) ? host : mark('name', host),
      )

  return (text) => {
    let clean = text.replace(PEM, HIDDEN)
    for (const spelling of spelled) clean = clean.replace(spelling, HIDDEN)
    clean = clean
      .replace(URL_CREDENTIALS, `$1${HIDDEN}@`)
      .replace(HEADERS, `$1$2${HIDDEN}`)
      .replace(LABELLED, (_, key: string, sign: string, value: string) =>
        /^["']?["']?$|^(?:true|false|null|\d{1,6})$/.test(value)
          ? `${key}${sign}${value}`
          : `${key}${sign}${HIDDEN}`,
      )
      .replace(NSEC, HIDDEN)
    if (!withNames) clean = names(clean)
    return clean
      .replace(RANDOM, (token) =>
        isRandom(token) && !(withNames && /-(?:pk|ih|44)$/.test(token)) ? mark('id', token) : token,
      )
      .replace(MAC, '$1:xx:xx:xx')
      .replace(V4, (address, a: string, b: string) =>
        reachOf(address) === 'public' ? `${a}.${b}.x.x` : address,
      )
      .replace(V6, shortV6)
  }
}
