/**
 * Session descriptions of strangers (RFC 8866, 8839, 8841, 8842): read strictly and written anew, so
 * that the native code only ever parses text of ours.
 */
import { printable } from '../../base/errors.ts'
import { type Candidate, chooseCandidates, formatCandidate, parseCandidate } from './candidate.ts'
import { WebRtcBadSdp } from './errors.ts'

export type SdpType = 'offer' | 'answer'

/** All that a data channel needs to know of the far side. */
export interface Description {
  type: SdpType
  /** Identification of the one media section; our answer has to repeat it. */
  mid: string
  iceUfrag: string
  icePwd: string
  /** `sha-256 AB:CD:...` */
  fingerprint: string
  setup: 'actpass' | 'active' | 'passive'
  sctpPort: number
  /** Bytes; 0 is no limit (RFC 8841). */
  maxMessageSize: number
  candidates: Candidate[]
}

const MAX_BYTES = 16 * 1024
const MAX_LINES = 256
const MAX_LINE = 1024
const LINE = /^[a-z]=[\x20-\x7e]*$/
const MEDIA = /^application \d{1,5}(?:\/1)? (?:UDP|TCP)\/DTLS\/SCTP webrtc-datachannel$/
// RFC 8839 5.4: ice-char is a letter, a digit, "+" or "/".
const UFRAG = /^[A-Za-z0-9+/]{4,256}$/
const PWD = /^[A-Za-z0-9+/]{22,256}$/
const MID = /^[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,32}$/
const FINGERPRINT = /^(sha-256|sha-384|sha-512) ([0-9A-F]{2}(?::[0-9A-F]{2})+)$/i
const DIGEST_BYTES: Record<string, number> = { 'sha-256': 32, 'sha-384': 48, 'sha-512': 64 }
// A stream cut into messages of a few bytes would cost a packet each.
const LEAST_MESSAGE = 1200
// RFC 8841 6.1: what is meant where the attribute is missing.
const DEFAULT_MESSAGE = 65_536
const DEFAULT_SCTP_PORT = 5000

/** Attributes by name, those of the media section before those of the session. */
type Attributes = Map<string, string[]>

function bad(what: string, value?: string): never {
  throw new WebRtcBadSdp(value === undefined ? what : `${what} "${printable(value)}"`)
}

function linesOf(sdp: string): string[] {
  if (sdp.length > MAX_BYTES) bad(`${sdp.length} bytes are more than ${MAX_BYTES}`)
  const lines = sdp.split(/\r?\n/)
  while (lines.at(-1) === '') lines.pop()
  if (lines.length > MAX_LINES) bad(`${lines.length} lines are more than ${MAX_LINES}`)
  for (const line of lines) {
    if (line.length > MAX_LINE) bad('too long a line', line)
    if (!LINE.test(line)) bad('a malformed line', line)
  }
  if (lines[0] !== 'v=0') bad('does not begin with v=0')
  return lines
}

function attributesOf(sdp: string): Attributes {
  const media: Attributes = new Map()
  const session: Attributes = new Map()
  let sections = 0
  for (const line of linesOf(sdp)) {
    if (line.startsWith('m=')) {
      if (!MEDIA.test(line.slice(2))) bad('not a section for a data channel:', line)
      if (++sections > 1) bad('more than one section')
    }
    if (!line.startsWith('a=')) continue
    const colon = line.indexOf(':')
    const name = (colon < 0 ? line.slice(2) : line.slice(2, colon)).toLowerCase()
    const value = name === 'candidate' ? line.slice(2) : colon < 0 ? '' : line.slice(colon + 1)
    const level = sections > 0 ? media : session
    const known = level.get(name)
    if (known) known.push(value)
    else level.set(name, [value])
  }
  if (sections === 0) bad('no section for a data channel')
  for (const [name, values] of session) if (!media.has(name)) media.set(name, values)
  return media
}

function one(attributes: Attributes, name: string, shape: RegExp): string {
  const values = attributes.get(name) ?? bad(`no ${name}`)
  const [value = ''] = values
  if (values.length > 1) bad(`more than one ${name}`)
  if (!shape.test(value)) bad(`not a ${name}:`, value)
  return value
}

/** Whole number within bounds, or what is meant where there is none. */
function number(attributes: Attributes, name: string, fallback: number, max: number): number {
  if (!attributes.has(name)) return fallback
  const value = Number(one(attributes, name, /^\d{1,15}$/))
  return value > max ? max : value
}

function fingerprintOf(attributes: Attributes): string {
  // RFC 8122 5: several are allowed; whoever sends them accepts each.
  for (const value of attributes.get('fingerprint') ?? bad('no fingerprint')) {
    const [, algorithm = '', digest = ''] = FINGERPRINT.exec(value) ?? []
    if (digest.split(':').length === DIGEST_BYTES[algorithm.toLowerCase()]) {
      return `${algorithm.toLowerCase()} ${digest.toUpperCase()}`
    }
  }
  return bad('no fingerprint of SHA-2')
}

function setupOf(attributes: Attributes, type: SdpType): Description['setup'] {
  const setup = one(attributes, 'setup', /^(?:actpass|active|passive)$/)
  // RFC 8842 5.3: an answer has to decide.
  if (type === 'answer' && setup === 'actpass') bad('an answer with setup:actpass')
  return setup as Description['setup']
}

/** @throws BTL_ERR_WEBRTC_BAD_SDP */
export function parseSdp(sdp: string, type: SdpType): Description {
  const attributes = attributesOf(sdp)
  const maxMessageSize = number(attributes, 'max-message-size', DEFAULT_MESSAGE, 2 ** 31)
  if (maxMessageSize !== 0 && maxMessageSize < LEAST_MESSAGE) {
    bad(`messages of at most ${maxMessageSize} bytes`)
  }
  const sctpPort = number(attributes, 'sctp-port', DEFAULT_SCTP_PORT, 65_536)
  if (sctpPort < 1 || sctpPort > 65_535) bad('not an sctp-port')
  const candidates = (attributes.get('candidate') ?? []).flatMap(
    (value) => parseCandidate(value) ?? [],
  )
  return {
    type,
    mid: one(attributes, 'mid', MID),
    iceUfrag: one(attributes, 'ice-ufrag', UFRAG),
    icePwd: one(attributes, 'ice-pwd', PWD),
    fingerprint: fingerprintOf(attributes),
    setup: setupOf(attributes, type),
    sctpPort,
    maxMessageSize,
    candidates: chooseCandidates(candidates),
  }
}

/** The text of a description; lines end in CRLF. */
export function formatSdp(description: Description): string {
  const { mid, candidates } = description
  return [
    'v=0',
    'o=- 1 1 IN IP4 0.0.0.0',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=mid:${mid}`,
    'a=sendrecv',
    'a=ice-options:trickle',
    `a=ice-ufrag:${description.iceUfrag}`,
    `a=ice-pwd:${description.icePwd}`,
    `a=fingerprint:${description.fingerprint}`,
    `a=setup:${description.setup}`,
    `a=sctp-port:${description.sctpPort}`,
    `a=max-message-size:${description.maxMessageSize}`,
    ...candidates.map((candidate) => `a=${formatCandidate(candidate)}`),
    '',
  ].join('\r\n')
}
