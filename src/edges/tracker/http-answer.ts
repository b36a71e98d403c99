/** Answers over HTTP in bencode (BEP 3, 7, 23, 24, 31, 48), written in one go: keys stand in order by hand. */
import type { InfoHash } from '../../base/hashes.ts'
import { addressText } from './address.ts'
import type { Answer, Refusal } from './announce.ts'
import { MAX_SCRAPED } from './http-query.ts'
import { type PeerTable, V4 } from './peer-table.ts'
import type { Counts } from './tracking.ts'

export interface Form {
  compact: boolean
  noPeerId: boolean
  /** BEP 24: 16 bytes, IPv4 mapped. */
  externalAddress: Uint8Array | undefined
  externalV4: boolean
}

const TRACKER_ID = '10:tracker id7:btlinkd'
// A peer has an `ip` of up to 39 characters, a peer id, a port; a scraped torrent has three numbers.
const LARGEST_ENTRY = 160
const HEADROOM = 512

/**
 * Answers are strings of one character a byte: Node sends such a one together with the headers.
 * @param maxPeers the most one answer holds
 */
export function createHttpAnswers(table: PeerTable, maxPeers: number) {
  const buffer = Buffer.alloc(HEADROOM + Math.max(maxPeers, MAX_SCRAPED) * LARGEST_ENTRY)
  let at = 0

  function text(ascii: string): void {
    for (let i = 0; i < ascii.length; i++) buffer[at++] = ascii.charCodeAt(i)
  }

  function bytes(source: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to; i++) buffer[at++] = source[i] ?? 0
  }

  function compactPeer(source: Uint8Array, from: number, v4: boolean, port: number): void {
    bytes(source, v4 ? from + 12 : from, from + 16)
    buffer[at++] = port >> 8
    buffer[at++] = port & 255
  }

  /** All peers of one family as one string; nothing where there are none and the key is not owed. */
  function compactPeers(key: string, answer: Answer, v4: boolean): void {
    const { slots, count, box } = answer
    const source = table.bytes()
    let length = 0
    for (let i = 0; i < count; i++) if (isV4(slots[i] ?? 0) === v4) length++
    for (const peer of box) if (peer.v4 === v4) length++
    if (length === 0 && !v4) return
    text(`${key}${length * (v4 ? 6 : 18)}:`)
    for (const peer of box) if (peer.v4 === v4) compactPeer(peer.address, 0, v4, peer.port)
    for (let i = 0; i < count; i++) {
      const slot = slots[i] ?? 0
      if (isV4(slot) === v4) compactPeer(source, table.addressAt(slot), v4, table.port(slot))
    }
  }

  const isV4 = (slot: number): boolean => (table.flags(slot) & V4) !== 0

  function namedPeer(source: Uint8Array, from: number, idAt: number, port: number): void {
    const ip = addressText(source, from)
    text(`d2:ip${ip.length}:${ip}`)
    if (idAt >= 0) {
      text('7:peer id20:')
      bytes(source, idAt, idAt + 20)
    }
    text(`4:porti${port}ee`)
  }

  function namedPeers({ slots, count, box }: Answer, noPeerId: boolean): void {
    text('5:peersl')
    // The box has another peer id in each of its processes: none is better than a wrong one.
    for (const peer of box) namedPeer(peer.address, 0, -1, peer.port)
    for (let i = 0; i < count; i++) {
      const slot = slots[i] ?? 0
      const idAt = noPeerId ? -1 : table.peerIdAt(slot)
      namedPeer(table.bytes(), table.addressAt(slot), idAt, table.port(slot))
    }
    text('e')
  }

  const done = (): string => buffer.toString('latin1', 0, at)

  return {
    announce(answer: Answer, form: Form): string {
      at = 0
      text(`d8:completei${answer.complete}e10:downloadedi${answer.downloaded}e`)
      if (form.externalAddress) {
        text(form.externalV4 ? '11:external ip4:' : '11:external ip16:')
        bytes(form.externalAddress, form.externalV4 ? 12 : 0, 16)
      }
      text(`10:incompletei${answer.incomplete}e8:intervali${answer.interval}e`)
      text(`12:min intervali${answer.minInterval}e`)
      if (form.compact) {
        compactPeers('5:peers', answer, true)
        compactPeers('6:peers6', answer, false)
      } else namedPeers(answer, form.noPeerId)
      text(TRACKER_ID)
      if (answer.warning !== undefined) {
        text(`15:warning message${answer.warning.length}:${answer.warning}`)
      }
      text('e')
      return done()
    },
    scrape(files: readonly { infoHash: InfoHash; counts: Counts }[], pauseSeconds: number): string {
      at = 0
      text('d5:filesd')
      for (const { infoHash, counts } of files.toSorted((a, b) =>
        a.infoHash < b.infoHash ? -1 : 1,
      )) {
        text('20:')
        at += buffer.write(infoHash, at, 'hex')
        text(`d8:completei${counts.complete}e10:downloadedi${counts.downloaded}e`)
        text(`10:incompletei${counts.incomplete}ee`)
      }
      text(`e5:flagsd20:min_request_intervali${pauseSeconds}eee`)
      return done()
    },
    /** BEP 31. */
    failure({ reason, retryMinutes }: Refusal): string {
      at = 0
      const retry = retryMinutes === 'never' ? '5:never' : `i${retryMinutes}e`
      text(`d14:failure reason${reason.length}:${reason}8:retry in${retry}e`)
      return done()
    },
  }
}

export type HttpAnswers = ReturnType<typeof createHttpAnswers>
