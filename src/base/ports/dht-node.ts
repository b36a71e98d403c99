import type { InfoHash, PublicKey, Target } from '../hashes.ts'
import type { Component, Stats } from './component.ts'

/** A peer or node: `host` is an IPv4 or IPv6 literal, never a name. */
export interface PeerAddress {
  host: string
  port: number
}

/** A mutable item as its owner signed it (BEP 44). */
export interface SignedItem {
  publicKey: PublicKey
  /** 0 to 64 bytes; empty is no salt. */
  salt: Uint8Array
  /** At most 2^53 - 1; larger sequence numbers are refused. */
  seq: number
  /** The value, bencoded, at most 1000 bytes. */
  value: Uint8Array
  /** 64 bytes of Ed25519. */
  signature: Uint8Array
}

/** How a get went, so that "nobody has it" and "nobody answered" can be told apart. */
export interface GetOutcome<Item> {
  item?: Item
  asked: number
  answered: number
  /** Nodes that returned a valid value, of whatever seq. */
  holders: number
  /** Values refused: wrong hash, wrong signature, too large. */
  rejected: number
}

export interface PutOutcome {
  target: Target
  asked: number
  /** Nodes that acknowledged. */
  stored: number
  /** BEP 44 error codes returned, with how many nodes returned each: 302 means a newer seq exists. */
  errors: Record<number, number>
}

export interface DhtInfo {
  nodeId: string
  /** Nodes in the routing tables. */
  nodes4: number
  nodes6: number
  /** Bound UDP port, 0 when not listening. */
  port: number
  readOnly: boolean
  stats: Stats
}

/** BEP 5, 32, 42, 43, 44. Values from the network are verified before anyone sees them. */
export interface DhtNode extends Component {
  /** Batches of peers as they are found; ends with the lookup. */
  peers(infoHash: InfoHash, signal?: AbortSignal): AsyncIterable<PeerAddress[]>
  /** Looks up, announces to the closest nodes, and resolves to how many took it. */
  announce(infoHash: InfoHash, port: number, signal?: AbortSignal): Promise<PutOutcome>
  /** The bencoded value whose SHA-1 is `target`. */
  getImmutable(target: Target, signal?: AbortSignal): Promise<GetOutcome<Uint8Array>>
  /** The valid item with the highest seq that the network holds; never answered from the own store alone. */
  getMutable(
    key: PublicKey,
    salt: Uint8Array,
    signal?: AbortSignal,
  ): Promise<GetOutcome<SignedItem>>
  /** `value` is bencoded. */
  putImmutable(value: Uint8Array, signal?: AbortSignal): Promise<PutOutcome>
  /** @param cas the seq that the stored item must have (BEP 44) */
  putMutable(item: SignedItem, cas?: number, signal?: AbortSignal): Promise<PutOutcome>
  addNode(address: PeerAddress): Promise<void>
  info(): Promise<DhtInfo>
}
