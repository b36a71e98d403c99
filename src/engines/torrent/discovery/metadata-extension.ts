/** Gives the info dict to peers that ask (BEP 9). Stands in for webtorrent's, which decodes the whole dict for every wire. */
import type Wire from 'bittorrent-protocol'
import { type BDict, decode, encode } from '../../../base/bencode.ts'
import { concatBytes } from '../../../base/bytes.ts'

export const METADATA_PIECE_BYTES = 16 * 1024
const REQUEST = 0
const DATA = 1
const REJECT = 2
const MAX_REQUEST_BYTES = 200

function requestedPiece(payload: Uint8Array): number | undefined {
  if (payload.length > MAX_REQUEST_BYTES) return undefined
  let dict: BDict
  try {
    const value = decode(payload, { maxDepth: 2, maxValues: 16 })
    if (!(value instanceof Map)) return undefined
    dict = value
  } catch {
    return undefined
  }
  const piece = dict.get('piece')
  if (dict.get('msg_type') !== REQUEST || typeof piece !== 'number') return undefined
  return piece
}

/** The extension class of one torrent, for `wire.use`. */
export function metadataExtension(info: Uint8Array) {
  const pieces = Math.ceil(info.length / METADATA_PIECE_BYTES)

  class MetadataExtension {
    readonly #wire: Wire
    // Twice the dict and a few lost messages: more is a peer that wants our bandwidth.
    #budget = 2 * pieces + 16

    constructor(wire: Wire) {
      this.#wire = wire
      wire.extendedHandshake['metadata_size'] = info.length
    }

    onMessage(payload: Uint8Array): void {
      const piece = requestedPiece(payload)
      if (piece === undefined || this.#wire.peerExtendedMapping['ut_metadata'] === undefined) return
      if (piece < 0 || piece >= pieces || this.#budget-- <= 0) {
        this.#wire.extended('ut_metadata', encode({ msg_type: REJECT, piece }))
        return
      }
      const start = piece * METADATA_PIECE_BYTES
      const head = encode({ msg_type: DATA, piece, total_size: info.length })
      const part = info.subarray(start, start + METADATA_PIECE_BYTES)
      this.#wire.extended('ut_metadata', concatBytes(head, part))
    }

    setMetadata(): void {
      // webtorrent offers the dict once it is ready; it is here already.
    }
  }
  Object.defineProperty(MetadataExtension.prototype, 'name', { value: 'ut_metadata' })
  return MetadataExtension
}
