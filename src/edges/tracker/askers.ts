/** Whoever asks, by address: worked out once and remembered, as most announce many torrents. */
import { networkInterfaces } from 'node:os'
import {
  addressBytes,
  addressText,
  HOUSE,
  isMapped,
  isNear,
  LOOPBACK,
  PUBLIC,
  type Reach,
  reachOf,
} from './address.ts'

export interface Asker {
  /** 16 bytes, see address.ts. */
  readonly bytes: Uint8Array
  readonly host: string
  readonly v4: boolean
  readonly reach: Reach
  /** Whether private addresses mean the same to the asker as to the box. */
  readonly inHouse: boolean
  /** Who pays for caps and rates: the IPv4 address or the IPv6 /64, as a 32-bit integer. */
  readonly payer: number
  /** The box's own address that the asker can reach; undefined for those outside. */
  readonly boxAddress: Uint8Array | undefined
  /** Whether the asker is at an address of the box itself. */
  readonly isBox: boolean
}

export interface OwnAddress {
  bytes: Uint8Array
  /** Leading bits that the network of this address shares. */
  prefix: number
}

const MAX_ASKERS = 8192
const READ_AGAIN_MS = 1000
const LOOPBACKS = { 4: addressBytes('127.0.0.1'), 6: addressBytes('::1') }

export function ownAddresses(): OwnAddress[] {
  return Object.values(networkInterfaces()).flatMap((entries) =>
    (entries ?? []).flatMap(({ address, cidr }) => {
      const bytes = addressBytes(address)
      if (bytes === undefined) return []
      const bits = Number(cidr?.split('/')[1] ?? 128)
      return [{ bytes, prefix: isMapped(bytes) ? 96 + bits : bits }]
    }),
  )
}

function sharesPrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false
  const rest = bits & 7
  return rest === 0 || (((a[whole] ?? 0) ^ (b[whole] ?? 0)) & (0xff00 >> rest) & 255) === 0
}

function payerOf(bytes: Uint8Array, v4: boolean, seed: number): number {
  const [a, b, c, d] = bytes.subarray(12)
  if (v4) return ((a ?? 0) << 24) | ((b ?? 0) << 16) | ((c ?? 0) << 8) | (d ?? 0)
  let hash = seed
  for (let i = 0; i < 8; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193) + i
  return hash | 0
}

/**
 * @param seed random, so that nobody can pick a network that shares a stranger's caps
 * @param nowMs milliseconds that never go back
 */
export function createAskers(
  seed: number,
  nowMs: () => number,
  addresses: () => OwnAddress[] = ownAddresses,
) {
  const known = new Map<string, Asker>()
  let own: OwnAddress[] = []
  let readAt = -Infinity

  function read(): boolean {
    if (nowMs() - readAt < READ_AGAIN_MS) return false
    own = addresses()
    readAt = nowMs()
    return true
  }

  function linkedTo(bytes: Uint8Array, v4: boolean): OwnAddress | undefined {
    return own.find(
      (entry) =>
        isMapped(entry.bytes) === v4 &&
        reachOf(entry.bytes) !== LOOPBACK &&
        sharesPrefix(entry.bytes, bytes, entry.prefix),
    )
  }

  function boxAddressFor(bytes: Uint8Array, v4: boolean, reach: Reach): Uint8Array | undefined {
    if (reach === LOOPBACK) return LOOPBACKS[v4 ? 4 : 6]
    let linked = linkedTo(bytes, v4)
    // The system lists a network only some time after its first packets.
    if (linked === undefined && reach !== PUBLIC && read()) linked = linkedTo(bytes, v4)
    // A public IPv4 neighbour is another customer; only an IPv6 network is a house.
    if (linked && (reach !== PUBLIC || !v4)) return linked.bytes
    if (reach !== HOUSE) return undefined
    const routed = own.filter(
      (entry) => isMapped(entry.bytes) === v4 && reachOf(entry.bytes) === HOUSE,
    )
    return (routed.find((entry) => isNear(entry.bytes, 0, bytes, 0)) ?? routed[0])?.bytes
  }

  function describe(host: string, bytes: Uint8Array): Asker {
    if (readAt === -Infinity) read()
    const v4 = isMapped(bytes)
    const reach = reachOf(bytes)
    const boxAddress = boxAddressFor(bytes, v4, reach)
    return {
      bytes,
      host: v4 ? bytes.subarray(12).join('.') : (host.split('%', 1)[0] ?? host),
      v4,
      reach,
      inHouse: reach !== PUBLIC || boxAddress !== undefined,
      payer: payerOf(bytes, v4, seed),
      boxAddress,
      isBox: reach === LOOPBACK || own.some((entry) => Buffer.compare(entry.bytes, bytes) === 0),
    }
  }

  return {
    /** Undefined for anything that is no address literal. */
    of(host: string): Asker | undefined {
      const old = known.get(host)
      if (old) return old
      const bytes = addressBytes(host)
      if (bytes === undefined) return undefined
      const asker = describe(host, bytes)
      if (asker.inHouse && asker.boxAddress === undefined) return asker
      if (known.size >= MAX_ASKERS) known.clear()
      known.set(host, asker)
      return asker
    },
    /** For 16 bytes that were an asker's before. */
    ofBytes(bytes: Uint8Array): Asker {
      return describe(addressText(bytes), bytes)
    },
    /** Networks come and go: what was worked out holds for a minute or so. */
    forget(): void {
      known.clear()
      readAt = -Infinity
    },
  }
}

export type Askers = ReturnType<typeof createAskers>
