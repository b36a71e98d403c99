/** Fetches the info dict from one peer (BEP 9 over BEP 10), trusting nothing but its hash. */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { decode, encode } from '../../../base/bencode.ts'
import {
  createReader,
  isDigit,
  readInteger,
  readKey,
  readString,
} from '../../../base/bencode-reader.ts'
import { fromHex } from '../../../base/bytes.ts'
import type { InfoHash } from '../../../base/hashes.ts'
import type { PeerAddress } from '../../../base/ports/dht-node.ts'
import { METADATA_PIECE_BYTES } from './metadata-extension.ts'
import { createWireReader, encodeExtended, encodeHandshake } from '../wire/wire-reader.ts'

/** What the validator takes. */
export const MAX_METADATA_BYTES = 10 * 1024 * 1024
const CONNECT_MS = 4000
// From one useful message to the next.
const QUIET_MS = 8000
const TOTAL_MS = 90_000
const OUR_ID = 3
const PIPELINE = 16
const DATA = 1
const REJECT = 2
const MAX_KEYS = 16

interface MetadataMessage {
  type: number
  piece: number
  data: Uint8Array
}

/** A flat dict with the data right behind it: no bencode document, so read by hand. */
export function readMetadataMessage(payload: Uint8Array): MetadataMessage | undefined {
  const reader = createReader(payload)
  if (reader.bytes[0] !== 0x64) return undefined
  reader.at = 1
  const numbers = new Map<string, number>()
  for (let keys = 0; reader.bytes[reader.at] !== 0x65; keys++) {
    if (keys > MAX_KEYS) return undefined
    const key = readKey(reader)
    if (isDigit(reader.bytes[reader.at])) readString(reader)
    else if (reader.bytes[reader.at] === 0x69) numbers.set(key, Number(readInteger(reader)))
    else return undefined
  }
  const type = numbers.get('msg_type')
  const piece = numbers.get('piece')
  if (type === undefined || piece === undefined) return undefined
  return { type, piece, data: payload.subarray(reader.at + 1) }
}

/** What the peer offers, out of its extended handshake. */
function offerOf(payload: Uint8Array): { id: number; size: number } {
  const dict = decode(payload, { maxDepth: 4, maxValues: 200 })
  const extensions = dict instanceof Map ? dict.get('m') : undefined
  const id = extensions instanceof Map ? extensions.get('ut_metadata') : undefined
  const size = dict instanceof Map ? dict.get('metadata_size') : undefined
  if (typeof id !== 'number' || id < 1 || id > 255) throw new Error('the peer gives no metadata')
  if (typeof size !== 'number' || size < 1 || size > MAX_METADATA_BYTES)
    throw new Error('metadata of unusable size')
  return { id, size }
}

interface Collector {
  begin(offer: { id: number; size: number }): void
  take(message: MetadataMessage): Uint8Array | undefined
}

function createCollector(infoHash: InfoHash, send: (bytes: Uint8Array) => void): Collector {
  let whole: Uint8Array | undefined
  let peerId = 0
  let pieces = 0
  let asked = 0
  const there = new Set<number>()

  function ask(): void {
    while (asked < pieces && asked - there.size < PIPELINE)
      send(encodeExtended(peerId, encode({ msg_type: 0, piece: asked++ })))
  }

  return {
    begin({ id, size }) {
      if (whole) return
      whole = new Uint8Array(size)
      peerId = id
      pieces = Math.ceil(size / METADATA_PIECE_BYTES)
      ask()
    },
    take({ type, piece, data }) {
      if (type === REJECT) throw new Error('the peer refused its metadata')
      if (type !== DATA || whole === undefined) return undefined
      const start = piece * METADATA_PIECE_BYTES
      const expected = Math.min(METADATA_PIECE_BYTES, whole.length - start)
      if (piece < 0 || piece >= asked || there.has(piece) || data.length !== expected)
        throw new Error('a metadata piece that was not asked for')
      whole.set(data, start)
      there.add(piece)
      if (there.size < pieces) {
        ask()
        return undefined
      }
      if (createHash('sha1').update(whole).digest('hex') !== infoHash)
        throw new Error('metadata with another hash')
      return whole
    },
  }
}

/**
 * Resolves to bytes whose SHA-1 is the infohash; the connection is closed either way.
 * @param connection to a peer, open or about to be
 * @param peerId ours, 20 bytes
 * @throws whatever went wrong with this peer; the caller asks another one
 */
export async function fetchOver(
  connection: Duplex,
  infoHash: InfoHash,
  peerId: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const hash = fromHex(infoHash)
  let timer = setTimeout(() => reject(new Error('no connection in time')), CONNECT_MS)
  const total = setTimeout(() => reject(new Error('too slow')), TOTAL_MS)
  const rest = () => {
    clearTimeout(timer)
    timer = setTimeout(() => reject(new Error('the peer fell silent')), QUIET_MS)
  }
  const onAbort = () => reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })

  const collector = createCollector(infoHash, (bytes) => connection.write(bytes))
  const reader = createWireReader(
    (handshake) => {
      if (!Buffer.from(hash).equals(handshake.infoHash)) throw new Error('another torrent')
      if (!handshake.extended) throw new Error('a peer without extensions')
      const hello = encode({ m: { ut_metadata: OUR_ID } })
      connection.write(encodeExtended(0, hello))
      rest()
    },
    (id, payload) => {
      if (id === 0) {
        collector.begin(offerOf(payload))
        rest()
      } else if (id === OUR_ID) {
        const message = readMetadataMessage(payload)
        const whole = message && collector.take(message)
        if (whole) resolve(whole)
        rest()
      }
    },
  )
  connection.once('connect', rest)
  connection.on('data', (chunk: Uint8Array) => {
    try {
      reader.push(chunk)
    } catch (error) {
      reject(error)
    }
  })
  connection.once('error', reject)
  connection.once('close', () => reject(new Error('the peer hung up')))
  // Sent when the connection is there.
  connection.write(encodeHandshake(hash, peerId))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    clearTimeout(total)
    signal.removeEventListener('abort', onAbort)
    connection.destroy()
  }
}

export async function fetchFromPeer(
  { host, port }: PeerAddress,
  infoHash: InfoHash,
  peerId: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  signal.throwIfAborted()
  return fetchOver(connect({ host, port }), infoHash, peerId, signal)
}
