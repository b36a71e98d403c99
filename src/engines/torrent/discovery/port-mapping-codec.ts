/** Requests to a router for an open port, and its replies: NAT-PMP (RFC 6886) and PCP (RFC 6887). */
import { isIPv4 } from 'node:net'

const NAT_PMP = 0
const PCP = 2
// RFC 6886 section 3.3: TCP is opcode 2; a reply has 128 more.
const MAP_TCP = 2
const REPLY = 128
// RFC 6887 section 11: MAP is opcode 1, TCP is protocol 6.
const PCP_MAP = 1
const TCP = 6
const NAT_PMP_REPLY_BYTES = 16
const PCP_BYTES = 60
export const NONCE_BYTES = 12

export interface MappingRequest {
  internalPort: number
  /** The port outside that we would like. */
  externalPort: number
  /** 0 ends the mapping. */
  lifetimeSeconds: number
}

export interface MappingReply {
  /** 0 is success. */
  result: number
  internalPort: number
  externalPort: number
  lifetimeSeconds: number
}

export function encodeNatPmp({
  internalPort,
  externalPort,
  lifetimeSeconds,
}: MappingRequest): Uint8Array {
  const packet = Buffer.alloc(12)
  packet[0] = NAT_PMP
  packet[1] = MAP_TCP
  packet.writeUInt16BE(internalPort, 4)
  packet.writeUInt16BE(externalPort, 6)
  packet.writeUInt32BE(lifetimeSeconds, 8)
  return packet
}

/** Undefined for anything that is no reply to a TCP mapping. */
export function decodeNatPmp(bytes: Uint8Array): MappingReply | undefined {
  const packet = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (packet[0] !== NAT_PMP || packet[1] !== MAP_TCP + REPLY || packet.length < 8) return undefined
  const result = packet.readUInt16BE(2)
  // A refusal may end after the time.
  if (packet.length < NAT_PMP_REPLY_BYTES)
    return result === 0
      ? undefined
      : { result, internalPort: 0, externalPort: 0, lifetimeSeconds: 0 }
  return {
    result,
    internalPort: packet.readUInt16BE(8),
    externalPort: packet.readUInt16BE(10),
    lifetimeSeconds: packet.readUInt32BE(12),
  }
}

/** @param address ours, IPv4, as the router sees it @param nonce the same for each request of a mapping */
export function encodePcp(
  { internalPort, externalPort, lifetimeSeconds }: MappingRequest,
  address: string,
  nonce: Uint8Array,
): Uint8Array {
  const packet = Buffer.alloc(PCP_BYTES)
  packet[0] = PCP
  packet[1] = PCP_MAP
  packet.writeUInt32BE(lifetimeSeconds, 4)
  packet.writeUInt16BE(0xffff, 18)
  if (isIPv4(address)) packet.set(address.split('.').map(Number), 20)
  packet.set(nonce.subarray(0, NONCE_BYTES), 24)
  packet[36] = TCP
  packet.writeUInt16BE(internalPort, 40)
  packet.writeUInt16BE(externalPort, 42)
  // Any IPv4 address outside will do.
  packet.writeUInt16BE(0xffff, 54)
  return packet
}

/** Undefined for anything that is no reply to our mapping. */
export function decodePcp(bytes: Uint8Array, nonce: Uint8Array): MappingReply | undefined {
  const packet = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (packet[0] !== PCP || packet[1] !== PCP_MAP + REPLY || packet.length < PCP_BYTES)
    return undefined
  if (!packet.subarray(24, 36).equals(nonce) || packet[36] !== TCP) return undefined
  return {
    result: packet[3] ?? 0,
    internalPort: packet.readUInt16BE(40),
    externalPort: packet.readUInt16BE(42),
    lifetimeSeconds: packet.readUInt32BE(4),
  }
}

/** The router of the default route, from the text of /proc/net/route. */
export function gatewayOf(routes: string): string | undefined {
  for (const line of routes.split('\n').slice(1)) {
    const [, destination, gateway = '', flags = ''] = line.trim().split(/\s+/)
    // RTF_GATEWAY of route.h.
    const leads = destination === '00000000' && (Number.parseInt(flags, 16) & 2) !== 0
    if (!leads || !/^[0-9a-f]{8}$/i.test(gateway)) continue
    return Buffer.from(gateway, 'hex').toReversed().join('.')
  }
  return undefined
}
