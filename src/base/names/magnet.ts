/** Magnet links: `xt=urn:btih:` of BEP 9, `xs=urn:btpk:` of BEP 46, and the hints beside them. */
import { MAX_SALT_BYTES } from '../bep44.ts'
import { EMPTY, fromHex, toHex } from '../bytes.ts'
import { type InfoHash, infoHash, publicKey } from '../hashes.ts'
import { MAX_HINTS, trackerUrls, webSeedUrls } from '../hint-urls.ts'
import { formatPeerAddress, parsePeerAddress } from '../peer-address.ts'
import type { PeerAddress } from '../ports/dht-node.ts'
import type { SwarmHints } from '../ports/torrent-engine.ts'
import { decodeBase32 } from './base32.ts'
import { BadMagnet, UnwritableName } from './errors.ts'
import type { InfoHashName, KeyName, Name } from './name.ts'

const MAX_CHARACTERS = 16_384
const MAX_PARAMETERS = 200
const MAX_TITLE = 255
const SCHEME = /^magnet:\?/i
const BTIH = /^urn:btih:(.*)$/i
const BTPK = /^urn:btpk:(.*)$/i

export interface Magnet {
  name: InfoHashName | KeyName
  /** `dn`, for people; without control characters. */
  title?: string
  /** Only sound ones, each once, at most 20 of a kind. */
  hints: SwarmHints
}

export const isMagnet = (text: string): boolean => SCHEME.test(text)

/** Values by lower-case key; those with a broken percent escape are left out. */
function readParameters(query: string): Map<string, string[]> {
  const parameters = new Map<string, string[]>()
  for (const part of query.split('&').slice(0, MAX_PARAMETERS)) {
    const equals = part.indexOf('=')
    if (equals < 1) continue
    // Several of a kind may be numbered: `xt.1`, `tr.2`.
    const key = part
      .slice(0, equals)
      .toLowerCase()
      .replace(/\.\d+$/, '')
    const written = part.slice(equals + 1)
    // In a display name, and only there, a plus is what forms make of a space.
    const value = unescaped(key === 'dn' ? written.replaceAll('+', ' ') : written)
    if (value === undefined) continue
    const values = parameters.get(key)
    if (values) values.push(value)
    else parameters.set(key, [value])
  }
  return parameters
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** 40 hex digits or 32 of base32. */
export function parseInfoHash(text: string): InfoHash | undefined {
  if (/^[0-9a-f]{40}$/i.test(text)) return infoHash(text)
  const bytes = text.length === 32 ? decodeBase32(text, 'base32') : undefined
  return bytes && infoHash(toHex(bytes))
}

function readKeyName(values: readonly string[], salts: readonly string[]): KeyName | undefined {
  const hex = values.map((value) => BTPK.exec(value)?.[1]).find((found) => found !== undefined)
  // `xs` may also be the URL of a torrent file.
  if (hex === undefined) return undefined
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw new BadMagnet('urn:btpk: has 64 hex digits after it')
  const [salt = ''] = salts
  if (!/^(?:[0-9a-f]{2})*$/i.test(salt)) throw new BadMagnet('s is not the salt in hex')
  const bytes = salt === '' ? EMPTY : fromHex(salt)
  if (bytes.length > MAX_SALT_BYTES) {
    throw new BadMagnet(`the salt has ${bytes.length} bytes, ${MAX_SALT_BYTES} is the most`)
  }
  return { kind: 'key', publicKey: publicKey(hex), salt: bytes }
}

function readInfoHashName(values: readonly string[]): InfoHashName {
  const texts = values.flatMap((value) => BTIH.exec(value)?.[1] ?? [])
  for (const text of texts) {
    const found = parseInfoHash(text)
    if (found) return { kind: 'infohash', infoHash: found }
  }
  if (texts.length > 0) {
    throw new BadMagnet('urn:btih: has 40 hex digits or 32 of base32 after it')
  }
  if (values.some((value) => /^urn:btmh:/i.test(value))) {
    throw new BadMagnet('it names a v2 torrent only, and this box speaks v1')
  }
  throw new BadMagnet('it has neither xt=urn:btih: nor xs=urn:btpk:')
}

function soundPeers(values: readonly string[] | undefined): PeerAddress[] {
  const peers = new Map<string, PeerAddress>()
  for (const value of values ?? []) {
    const peer = parsePeerAddress(value)
    if (peer && peers.size < MAX_HINTS) peers.set(formatPeerAddress(peer), peer)
  }
  return [...peers.values()]
}

function soundTitle(values: readonly string[] | undefined): string | undefined {
  const [title] = values ?? []
  const clean = title
    ?.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '')
    .trim()
    .slice(0, MAX_TITLE)
  return clean === '' ? undefined : clean
}

/**
 * Reads a magnet link. Where it names both a key and a torrent, the key wins: it leads to the
 * newest torrent, the other is what it was when the link was made.
 * @throws BadMagnet (400) where it names neither, or names one wrongly; unsound hints are left out
 */
export function parseMagnet(text: string): Magnet {
  if (!isMagnet(text)) throw new BadMagnet('it does not begin with "magnet:?"')
  if (text.length > MAX_CHARACTERS) throw new BadMagnet(`it is over ${MAX_CHARACTERS} characters`)
  const parameters = readParameters(text.slice('magnet:?'.length))
  const name =
    readKeyName(parameters.get('xs') ?? [], parameters.get('s') ?? []) ??
    readInfoHashName(parameters.get('xt') ?? [])
  const title = soundTitle(parameters.get('dn'))
  const hints = {
    trackers: trackerUrls(parameters.get('tr') ?? []),
    webSeeds: webSeedUrls(parameters.get('ws') ?? []),
    peers: soundPeers(parameters.get('x.pe')),
  }
  return title === undefined ? { name, hints } : { name, title, hints }
}

/**
 * Writes what `parseMagnet` reads.
 * @throws UnwritableName for an immutable item, which no magnet can name
 */
export function writeMagnet(
  name: Name,
  { title, hints = {} }: { title?: string | undefined; hints?: SwarmHints } = {},
): string {
  const parts = [topicOf(name)]
  const add = (key: string, value: string) => parts.push(`${key}=${encodeURIComponent(value)}`)
  if (title !== undefined && title !== '') add('dn', title.toWellFormed())
  for (const tracker of hints.trackers ?? []) add('tr', tracker)
  for (const webSeed of hints.webSeeds ?? []) add('ws', webSeed)
  for (const peer of hints.peers ?? []) add('x.pe', formatPeerAddress(peer))
  return `magnet:?${parts.join('&')}`
}

function topicOf(name: Name): string {
  if (name.kind === 'infohash') return `xt=urn:btih:${name.infoHash}`
  if (name.kind === 'immutable') throw new UnwritableName('a magnet link', 'it is no torrent')
  const topic = `xs=urn:btpk:${name.publicKey}`
  return name.salt.length === 0 ? topic : `${topic}&s=${toHex(name.salt)}`
}
