/**
 * What is said at WebSocket trackers: WebTorrent's signalling, for which there is no BEP. JSON, in
 * which hashes and ids are strings of 20 characters, one for each byte.
 */
import { type InfoHash, infoHash as toInfoHash } from '../../../base/hashes.ts'

// A data channel's description with a dozen candidates is 2 KB.
const MAX_SDP = 16 * 1024
const MAX_REASON = 200
// eslint-disable-next-line no-control-regex -- every byte is allowed
const BINARY_20 = /^[\u0000-\u00ff]{20}$/

export interface WsAnnounce {
  infoHash: InfoHash
  /** 40 hex digits. */
  peerId: string
  left: number
  event?: 'started' | 'stopped'
  offers: { offerId: string; sdp: string }[]
}

export interface WsAnswer {
  infoHash: InfoHash
  peerId: string
  toPeerId: string
  offerId: string
  sdp: string
}

/** Ids are hex here: 40 digits. */
export type WsMessage =
  | {
      kind: 'reply'
      infoHash: InfoHash
      intervalSeconds: number
      complete: number
      incomplete: number
    }
  | { kind: 'offer'; infoHash: InfoHash; peerId: string; offerId: string; sdp: string }
  | { kind: 'answer'; infoHash: InfoHash; peerId: string; offerId: string; sdp: string }
  | { kind: 'failure'; reason: string }

const binary = (hex: string) => Buffer.from(hex, 'hex').toString('latin1')

export const encodeWsAnnounce = (announce: WsAnnounce): string =>
  JSON.stringify({
    action: 'announce',
    info_hash: binary(announce.infoHash),
    peer_id: binary(announce.peerId),
    numwant: announce.offers.length,
    uploaded: 0,
    downloaded: 0,
    left: announce.left,
    event: announce.event,
    // Some trackers take no message without the list, others none with it at `stopped`.
    offers:
      announce.event === 'stopped'
        ? undefined
        : announce.offers.map(({ offerId, sdp }) => ({
            offer: { type: 'offer', sdp },
            offer_id: binary(offerId),
          })),
  })

export const encodeWsAnswer = (answer: WsAnswer): string =>
  JSON.stringify({
    action: 'announce',
    info_hash: binary(answer.infoHash),
    peer_id: binary(answer.peerId),
    to_peer_id: binary(answer.toPeerId),
    answer: { type: 'answer', sdp: answer.sdp },
    offer_id: binary(answer.offerId),
  })

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const hexOf = (value: unknown): string | undefined =>
  typeof value === 'string' && BINARY_20.test(value)
    ? Buffer.from(value, 'latin1').toString('hex')
    : undefined

function sdpOf(value: unknown, type: 'offer' | 'answer'): string | undefined {
  if (!isFields(value) || value['type'] !== type) return undefined
  const { sdp } = value
  return typeof sdp === 'string' && sdp.length > 0 && sdp.length <= MAX_SDP ? sdp : undefined
}

const countOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0

function fieldsOf(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Undefined for whatever breaks a rule. */
export function decodeWsMessage(text: string): WsMessage | undefined {
  const fields = fieldsOf(text)
  if (fields === undefined) return undefined
  const failure = fields['failure reason']
  if (typeof failure === 'string') return { kind: 'failure', reason: failure.slice(0, MAX_REASON) }
  const hash = hexOf(fields['info_hash'])
  if (fields['action'] !== 'announce' || hash === undefined) return undefined
  const infoHash = toInfoHash(hash)
  for (const kind of ['offer', 'answer'] as const) {
    if (fields[kind] === undefined || fields[kind] === null) continue
    const [peerId, offerId] = [hexOf(fields['peer_id']), hexOf(fields['offer_id'])]
    const sdp = sdpOf(fields[kind], kind)
    if (peerId === undefined || offerId === undefined || sdp === undefined) return undefined
    return { kind, infoHash, peerId, offerId, sdp }
  }
  return {
    kind: 'reply',
    infoHash,
    intervalSeconds: countOf(fields['interval']),
    complete: countOf(fields['complete']),
    incomplete: countOf(fields['incomplete']),
  }
}
