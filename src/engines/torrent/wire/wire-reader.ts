/** Cuts what a peer sends into handshake and messages (BEP 3), with nothing large ever kept. */

export const HANDSHAKE_BYTES = 68
const PROTOCOL = Buffer.from('\u0013BitTorrent protocol')
const EXTENDED = 20
// A metadata piece with its dict; extended handshakes are smaller.
const MAX_KEPT_MESSAGE = 64 * 1024
const MAX_SKIPPED_MESSAGE = 1024 * 1024
const MAX_BYTES = 32 * 1024 * 1024

export interface Handshake {
  infoHash: Uint8Array
  peerId: Uint8Array
  /** BEP 10. */
  extended: boolean
}

export interface WireReader {
  /** @throws on anything that is no peer wire, or more than a metadata exchange may need */
  push(chunk: Uint8Array): void
}

export function encodeHandshake(infoHash: Uint8Array, peerId: Uint8Array): Uint8Array {
  const reserved = Buffer.alloc(8)
  // BEP 10: bit 20 from the right.
  reserved[5] = 0x10
  return Buffer.concat([PROTOCOL, reserved, infoHash, peerId])
}

export function encodeExtended(id: number, payload: Uint8Array): Uint8Array {
  const head = Buffer.alloc(6)
  head.writeUInt32BE(payload.length + 2)
  head[4] = EXTENDED
  head[5] = id
  return Buffer.concat([head, payload])
}

/** Only extended messages are given on; the others are passed over as they stream in. */
export function createWireReader(
  onHandshake: (handshake: Handshake) => void,
  onExtended: (id: number, payload: Uint8Array) => void,
): WireReader {
  let buffer = Buffer.alloc(0)
  let shaken = false
  let skip = 0
  let total = 0

  function handshake(): boolean {
    if (buffer.length < HANDSHAKE_BYTES) return false
    const head = buffer.subarray(0, HANDSHAKE_BYTES)
    if (!head.subarray(0, PROTOCOL.length).equals(PROTOCOL))
      throw new Error('not the BitTorrent protocol')
    buffer = buffer.subarray(HANDSHAKE_BYTES)
    shaken = true
    onHandshake({
      extended: ((head[25] ?? 0) & 0x10) !== 0,
      infoHash: head.subarray(28, 48),
      peerId: head.subarray(48, 68),
    })
    return true
  }

  function message(): boolean {
    if (skip > 0) {
      const passed = Math.min(skip, buffer.length)
      buffer = buffer.subarray(passed)
      skip -= passed
      return buffer.length > 0
    }
    if (buffer.length < 5) return buffer.length >= 4 && keepAlive()
    const length = buffer.readUInt32BE(0)
    if (length === 0) return keepAlive()
    if (buffer[4] !== EXTENDED) {
      if (length > MAX_SKIPPED_MESSAGE) throw new Error('a message of more than 1 MiB')
      skip = 4 + length
      return true
    }
    if (length < 2 || length > MAX_KEPT_MESSAGE) throw new Error('an extended message out of range')
    if (buffer.length < 4 + length) return false
    const payload = buffer.subarray(6, 4 + length)
    const id = buffer[5] ?? 0
    buffer = buffer.subarray(4 + length)
    onExtended(id, payload)
    return true
  }

  function keepAlive(): boolean {
    if (buffer.readUInt32BE(0) !== 0) return false
    buffer = buffer.subarray(4)
    return buffer.length > 0
  }

  return {
    push(chunk) {
      total += chunk.length
      if (total > MAX_BYTES) throw new Error('more bytes than a metadata exchange needs')
      buffer = buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([buffer, chunk])
      while (shaken ? message() : handshake()) {
        // One message after the other.
      }
    },
  }
}
