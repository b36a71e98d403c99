/** Host names of btlink sites: read from requests, written for links. */
import { MAX_SALT_BYTES } from '../bep44.ts'
import { codeOf, messageOf, printable } from '../errors.ts'
import { infoHash, type PublicKey, target } from '../hashes.ts'
import { decodePublicKey, encodePublicKey } from './base36.ts'
import { BadName, UnwritableName } from './errors.ts'
import type { ImmutableName, InfoHashName, KeyName, Name } from './name.ts'
import { isHexSalt, labelsOfSalt, saltOfLabels } from './salt.ts'

// RFC 1035 §2.3.4, in characters as written.
const MAX_LABEL = 63
const MAX_HOST = 253
const MAX_PORT = 65_535
const LABEL = /^[0-9a-z_-]+$/
const HEX_40 = /^[0-9a-f]{40}$/
const SCHEMAS = ['ih', 'pk', '44']
/** The former top-level domain, before it was found to belong to Bhutan. */
const FORMER_TLD = 'bt'

export interface HostOptions {
  /** The one label all names end in, lower case. */
  tld: string
  /** Also redirect names under the former `.bt`. */
  compatBt?: boolean
}

/** What stands right of the top-level label: `localhost` in `…-ih.btlink.localhost`, else empty. */
interface ByGateway {
  gatewaySuffix: string
}

export type BtlinkHost =
  /** No label is the top-level one: the host is not ours to judge. */
  | { kind: 'none' }
  | ({ kind: 'root' } & ByGateway)
  | (InfoHashName & ByGateway)
  | (KeyName & ByGateway)
  | (ImmutableName & ByGateway)
  /** Another spelling of `host`, which has the port of the request, where there was one. */
  | { kind: 'redirect'; host: string }

interface Place {
  /** As it was asked for, for messages. */
  readonly host: string
  readonly tld: string
  /** Right of the top-level label, in order. */
  readonly suffix: readonly string[]
  /** `:42080`, or empty. */
  readonly port: string
}

function bad({ host, tld }: Pick<Place, 'host' | 'tld'>, fault: string): never {
  throw new BadName(printable(host, 100), fault, tld, tld, tld, tld)
}

/** ASCII only: the Kelvin sign is no `k`. */
const lowerCase = (text: string): string =>
  text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase())

/**
 * Reads a `Host` header or the host of a URL. Port, one trailing dot and upper case are taken off
 * first; the rightmost label that is the top-level one is the root.
 * @throws BadName (400) for a host under the root that is no name, saying what is wrong with it
 */
export function parseHost(host: string, options: HostOptions): BtlinkHost {
  const { tld } = options
  // IPv6 literals are the only hosts with brackets, and never ours.
  if (host.startsWith('[')) return { kind: 'none' }
  const colon = host.indexOf(':')
  const port = colon < 0 ? '' : host.slice(colon)
  const name = lowerCase(colon < 0 ? host : host.slice(0, colon))
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.')
  const root = labels.lastIndexOf(tld)
  if (root < 0) {
    return options.compatBt ? formerHost(labels, { host, tld, suffix: [], port }) : { kind: 'none' }
  }
  const place = { host, tld, suffix: labels.slice(root + 1), port }
  checkLimits(labels, place)
  const left = labels.slice(0, root)
  if (options.compatBt && left.at(-1) === FORMER_TLD) return toNewRoot(left.slice(0, -1), place)
  return readName(left, place)
}

function checkLimits(labels: readonly string[], place: Place): void {
  if (labels.join('.').length > MAX_HOST) bad(place, `it is longer than ${MAX_HOST} characters`)
  for (const label of labels) {
    if (label === '') bad(place, 'a label is empty')
    if (label.length > MAX_LABEL) bad(place, `a label is longer than ${MAX_LABEL} characters`)
    if (!LABEL.test(label)) bad(place, 'only letters, digits, "-" and "_" may stand in a label')
  }
  const { port } = place
  if (port !== '' && !(/^:\d{0,5}$/.test(port) && Number(port.slice(1)) <= MAX_PORT)) {
    bad(place, 'the port is not a number up to 65535')
  }
}

function redirectTo(labels: readonly string[], place: Place): BtlinkHost {
  const port = place.port === ':' ? '' : place.port
  return { kind: 'redirect', host: [...labels, place.tld, ...place.suffix].join('.') + port }
}

function readName(left: readonly string[], place: Place): BtlinkHost {
  const gatewaySuffix = place.suffix.join('.')
  const last = left.at(-1)
  if (last === undefined) return { kind: 'root', gatewaySuffix }
  if (SCHEMAS.includes(last)) return readDotted(left, last, place)
  const parts = last.split('-')
  const schema = parts.pop()
  const outer = left.slice(0, -1)
  if (schema === 'ih' || schema === '44') return readHash(schema, parts, outer, place)
  if (schema === 'pk') return readKey(parts, outer, place)
  return bad(place, `"${last}" ends in none of -ih, -pk and -44`)
}

/** `X.ih` for `X-ih`: sound names are redirected, unsound ones refused here and not a step later. */
function readDotted(left: readonly string[], schema: string, place: Place): BtlinkHost {
  const value = left.at(-2)
  if (value === undefined) bad(place, `nothing stands left of "${schema}"`)
  const hyphened = [...left.slice(0, -2), `${value}-${schema}`]
  checkLimits(hyphened, place)
  const name = readName(hyphened, place)
  return name.kind === 'redirect' ? name : redirectTo(hyphened, place)
}

function readHash(
  schema: 'ih' | '44',
  parts: readonly string[],
  outer: readonly string[],
  place: Place,
): BtlinkHost {
  const [hex = ''] = parts
  const what = schema === 'ih' ? 'an infohash' : 'a target'
  if (parts.length !== 1) bad(place, `exactly ${what} may stand before -${schema}`)
  if (!HEX_40.test(hex)) bad(place, `${what} has 40 hex digits, this has "${hex}"`)
  // A page under a longer host would be another origin with the same content.
  if (outer.length > 0) return redirectTo([`${hex}-${schema}`], place)
  const gatewaySuffix = place.suffix.join('.')
  return schema === 'ih'
    ? { kind: 'infohash', infoHash: infoHash(hex), gatewaySuffix }
    : { kind: 'immutable', target: target(hex), gatewaySuffix }
}

function readPublicKey(text: string, place: Place): PublicKey {
  try {
    return decodePublicKey(text)
  } catch (error) {
    if (codeOf(error) !== 'BTL_ERR_BASE_BAD_BASE36') throw error
    return bad(place, messageOf(error))
  }
}

function readKey(parts: readonly string[], outer: readonly string[], place: Place): BtlinkHost {
  const text = parts.at(-1)
  if (text === undefined || text === '') bad(place, 'no public key stands before -pk')
  const publicKey = readPublicKey(text, place)
  const labels = [...outer]
  if (parts.length > 1) {
    const hyphenSalt = parts.slice(0, -1).join('-')
    if (hyphenSalt === '') bad(place, 'the salt before the public key is empty')
    labels.push(hyphenSalt)
  }
  const salt = saltOfLabels(labels)
  if (salt.length > MAX_SALT_BYTES) {
    bad(place, `the salt has ${salt.length} bytes, ${MAX_SALT_BYTES} is the most`)
  }
  if (isHexSalt(labels)) {
    const canonical = labelsOfSalt(salt)
    if (canonical.join('.') !== labels.join('.')) {
      return redirectTo([...canonical, `${text}-pk`], place)
    }
  }
  return { kind: 'key', publicKey, salt, gatewaySuffix: place.suffix.join('.') }
}

/** `X.ih.bt[.gw]` and `s.K.pk.bt[.gw]`; any other host under `.bt` belongs to somebody else. */
function formerHost(labels: readonly string[], place: Place): BtlinkHost {
  const root = labels.lastIndexOf(FORMER_TLD)
  const schema = labels[root - 1]
  if (root < 2 || schema === undefined || !SCHEMAS.includes(schema)) return { kind: 'none' }
  const moved = { ...place, suffix: labels.slice(root + 1) }
  checkLimits(labels, moved)
  return toNewRoot(labels.slice(0, root), moved)
}

function toNewRoot(left: readonly string[], place: Place): BtlinkHost {
  const name = readName(left, place)
  return name.kind === 'redirect' ? name : redirectTo(left, place)
}

/**
 * The canonical host of a name: salts as labels of their own. It always fits: the longest salt and
 * key with a top-level label of 63 characters make 251.
 * @throws UnwritableName where the salt has more than 64 bytes
 */
export const hostOf = (name: Name, tld: string): string => [...labelsOf(name), tld].join('.')

function labelsOf(name: Name): string[] {
  if (name.kind === 'infohash') return [`${name.infoHash}-ih`]
  if (name.kind === 'immutable') return [`${name.target}-44`]
  if (name.salt.length > MAX_SALT_BYTES) {
    const fault = `its salt has ${name.salt.length} bytes, ${MAX_SALT_BYTES} is the most`
    throw new UnwritableName('a host name', fault)
  }
  return [...labelsOfSalt(name.salt), `${encodePublicKey(name.publicKey)}-pk`]
}

/**
 * The host with the salt in the key's own label, as wildcard certificates want it. Undefined where
 * the salt has a dot or does not fit beside the key: 9 characters is the most beside most keys.
 */
export function hyphenHostOf(name: KeyName, tld: string): string | undefined {
  const labels = labelsOf(name)
  const label = labels.join('-')
  return labels.length <= 2 && label.length <= MAX_LABEL ? `${label}.${tld}` : undefined
}
