/** As much of DNS as one question of Multicast DNS takes (RFC 1035 section 4, RFC 6762). No I/O. */

/** What a name's owner said: an address literal, and for how long. */
export interface AddressRecord {
  address: string
  ttlSeconds: number
}

const HEADER_BYTES = 12
const TYPE_A = 1
const TYPE_AAAA = 28
const CLASS_IN = 1
// RFC 6762 10.2: the top bit of the class says that older records go.
const CLASS_MASK = 0x7fff
const MAX_RECORDS = 64
const MAX_QUESTIONS = 16
// RFC 1035 2.3.4
const MAX_NAME = 255
const MAX_LABEL = 63

/** A question for the IPv4 and the IPv6 address of `name`, answered by multicast. */
export function encodeQuery(name: string): Uint8Array {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  if (labels.some(({ length }) => length < 1 || length > MAX_LABEL)) {
    throw new RangeError('a label has 1 to 63 bytes')
  }
  const wire = Buffer.concat([
    ...labels.flatMap((label) => [Buffer.of(label.length), label]),
    Buffer.of(0),
  ])
  if (wire.length > MAX_NAME) throw new RangeError('a name has at most 255 bytes')
  // Id and flags are 0 (RFC 6762 18.1 to 18.11); two questions, the second points to the first's name.
  const header = Buffer.of(0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0)
  const first = Buffer.of(0, TYPE_A, 0, CLASS_IN)
  const second = Buffer.of(0xc0, HEADER_BYTES, 0, TYPE_AAAA, 0, CLASS_IN)
  return Buffer.concat([header, wire, first, second])
}

interface Reader {
  bytes: Buffer
  at: number
}

/** Lower case, without the last dot; undefined where it is malformed. Moves on past the name. */
function readName(reader: Reader): string | undefined {
  const { bytes } = reader
  const labels: string[] = []
  let length = 0
  let at = reader.at
  let hasJumped = false
  for (;;) {
    const size = bytes[at]
    if (size === undefined) return undefined
    if (size >= 0xc0) {
      const low = bytes[at + 1]
      if (low === undefined) return undefined
      if (!hasJumped) reader.at = at + 2
      hasJumped = true
      const target = ((size & 0x3f) << 8) | low
      // RFC 1035 4.1.4: a prior occurrence; whatever points ahead or at itself may never end.
      if (target >= at) return undefined
      at = target
      continue
    }
    if (size > MAX_LABEL) return undefined
    if (size === 0) {
      if (!hasJumped) reader.at = at + 1
      return labels.join('.').toLowerCase()
    }
    length += size + 1
    if (length > MAX_NAME || at + 1 + size > bytes.length) return undefined
    labels.push(bytes.toString('latin1', at + 1, at + 1 + size))
    at += 1 + size
  }
}

function ipv6Text(bytes: Buffer): string {
  const words = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1)
}

function addressOf(type: number, data: Buffer): string | undefined {
  if (type === TYPE_A && data.length === 4) return data.join('.')
  if (type === TYPE_AAAA && data.length === 16) return ipv6Text(data)
  return undefined
}

/** Addresses of `name` (lower case) in an answer; empty for anything else, and up to the first fault. */
export function decodeAddresses(packet: Uint8Array, name: string): AddressRecord[] {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength)
  if (bytes.length < HEADER_BYTES) return []
  const flags = bytes.readUInt16BE(2)
  // A response, of a standard query, without a failure.
  if ((flags & 0xf80f) !== 0x8000) return []
  const questions = bytes.readUInt16BE(4)
  const records = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10)
  if (questions > MAX_QUESTIONS) return []
  const reader: Reader = { bytes, at: HEADER_BYTES }
  for (let i = 0; i < questions; i++) {
    if (readName(reader) === undefined) return []
    reader.at += 4
  }
  const found: AddressRecord[] = []
  for (let i = 0; i < Math.min(records, MAX_RECORDS); i++) {
    const owner = readName(reader)
    const { at } = reader
    if (owner === undefined || at + 10 > bytes.length) return found
    const end = at + 10 + bytes.readUInt16BE(at + 8)
    if (end > bytes.length) return found
    const isInternet = (bytes.readUInt16BE(at + 2) & CLASS_MASK) === CLASS_IN
    const address = addressOf(bytes.readUInt16BE(at), bytes.subarray(at + 10, end))
    if (isInternet && owner === name && address !== undefined) {
      found.push({ address, ttlSeconds: bytes.readUInt32BE(at + 4) })
    }
    reader.at = end
  }
  return found
}
