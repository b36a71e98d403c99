/**
 * Limits for the peer wire that bittorrent-protocol 5 does not have: it accepts messages of 2 GiB,
 * joins what arrived again for every packet, and lets parser faults leave the process.
 */
import Wire from 'bittorrent-protocol'

// A bitfield of the largest torrent the validator passes is 64 KiB, a piece message 128 KiB.
const MAX_MESSAGE_BYTES = 1024 * 1024
// libtorrent asks for at most 2000 blocks ahead; what we advertise as reqq is 500.
const MAX_QUEUED_REQUESTS = 2000
const MAX_BLOCK_BYTES = 128 * 1024

// A bitfield of 64 KiB.
const MAX_PIECES = 524_288

type Method<Arguments extends unknown[]> = (this: Wire, ...values: Arguments) => void

let hardened = false
const pieceCounts = new WeakMap<Wire, number>()

const piecesOf = (wire: Wire): number => pieceCounts.get(wire) ?? MAX_PIECES

/**
 * How many pieces the peer may speak of: webtorrent counts them in an array that a few numbers of
 * 32 bits blow up to hundreds of megabytes.
 */
export function expectPieces(wire: Wire, count: number): void {
  pieceCounts.set(wire, count)
}

function concat(parts: Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Ends a wire whose peer broke the protocol; nothing it still sends is kept. */
function silence(wire: Wire): void {
  wire._buffer = []
  wire._bufferSize = 0
  wire._parse(Number.MAX_VALUE, () => {})
  wire._write = (_data, done) => done(null)
  wire.destroy()
}

/** Puts the limits on every wire of the process; webtorrent offers no place to pass a wire of our own. */
export function hardenWires(): void {
  if (hardened) return
  hardened = true
  const onAnyMessage = Reflect.get(Wire.prototype, '_onMessage') as Method<[Uint8Array]>
  const onAnyRequest = Reflect.get(Wire.prototype, '_onRequest') as Method<[number, number, number]>

  const onAnyHave = Reflect.get(Wire.prototype, '_onHave') as Method<[number]>
  const onAnyBitField = Reflect.get(Wire.prototype, '_onBitField') as Method<[Uint8Array]>

  Wire.prototype._onHave = function onHave(this: Wire, piece) {
    if (piece >= 0 && piece < piecesOf(this)) onAnyHave.call(this, piece)
    else silence(this)
  }

  Wire.prototype._onBitField = function onBitField(this: Wire, bits) {
    if (bits.length > Math.ceil(piecesOf(this) / 8)) silence(this)
    // A copy: the message is a part of what arrived with it, which would stay in memory as well.
    else onAnyBitField.call(this, bits.slice())
  }

  Wire.prototype._write = function write(this: Wire, data, done) {
    this._bufferSize += data.length
    this._buffer.push(data)
    if (this._bufferSize >= this._parserSize) {
      if (this._buffer.length > 1) this._buffer = [concat(this._buffer, this._bufferSize)]
      try {
        this._processBuffer()
      } catch {
        silence(this)
      }
    }
    done(null)
  }

  Wire.prototype._onMessageLength = function onMessageLength(this: Wire, bytes) {
    const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0)
    if (length > MAX_MESSAGE_BYTES) {
      silence(this)
      return
    }
    if (length > 0) {
      this._parse(length, (message) => this._onMessage(message))
      return
    }
    this._onKeepAlive()
    this._parse(4, (next) => this._onMessageLength(next))
  }

  Wire.prototype._onMessage = function onMessage(this: Wire, message) {
    try {
      onAnyMessage.call(this, message)
    } catch {
      silence(this)
    }
  }

  Wire.prototype._onRequest = function onRequest(this: Wire, piece, offset, length) {
    const sane = piece >= 0 && offset >= 0 && length > 0 && length <= MAX_BLOCK_BYTES
    if (!sane || this.peerRequests.length >= MAX_QUEUED_REQUESTS) {
      silence(this)
      return
    }
    onAnyRequest.call(this, piece, offset, length)
  }
}
