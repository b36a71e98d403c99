/**
 * Answers the queries of others (BEP 5, 32, 44) without touching a socket. Replies stay small: 1200
 * bytes at most, and three times the query at most to an address that may be forged.
 */
import { fromHex, toHex } from '../../base/bytes.ts'
import { target as asTarget } from '../../base/hashes.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import { type Family, familyOf, isUsable, PEER_BYTES } from './address.ts'
import type { ItemStore } from './item-store.ts'
import { targetOf, wireOf } from './item-store.ts'
import {
  type Answer,
  type Contact,
  encodeError,
  encodeResponse,
  PROTOCOL_FAULT,
  type Query,
  type Question,
} from './krpc.ts'
import { ID_BYTES } from './node-id.ts'
import type { PeerStore } from './peer-store.ts'
import type { Tokens } from './tokens.ts'

/** Fits into one packet on every path, with room for tunnels. */
const MAX_REPLY_BYTES = 1200
const AMPLIFICATION = 3
const MAX_NODES = 8
const MAX_PEERS = 50

export interface ServerDeps {
  ownId(family: Family): Uint8Array
  closest(family: Family, target: Uint8Array): Contact[]
  tokens: Tokens
  peers: PeerStore
  items: ItemStore
  /** Our own address for a torrent we announced, as the asker would reach it. */
  ownPeers(target: Uint8Array, asker: PeerAddress): PeerAddress[]
  allowLocal: boolean
}

export interface Asker extends PeerAddress {
  /** Bytes of the query as it came. */
  queryBytes: number
  /** Whether the address has shown that it receives what is sent to it. */
  proven: boolean
}

export interface Reply {
  datagram: Uint8Array
  /** The item was left out because the address is not proven; a proven one would get it. */
  withheld: boolean
}

/** Bytes that a bencoded string of `length` bytes takes. */
const stringBytes = (length: number): number => String(length).length + 1 + length

export function createServer(deps: ServerDeps) {
  /** Nodes that fit into `room` bytes, of the families asked for. */
  function addNodes(answer: Answer, target: Uint8Array, families: Family[], room: number): void {
    let left = room
    for (const family of families) {
      const each = ID_BYTES + PEER_BYTES[family]
      const most = Math.floor((left - '6:nodes6999:'.length) / each)
      const nodes = deps.closest(family, target).slice(0, Math.max(0, Math.min(MAX_NODES, most)))
      if (family === 4) answer.nodes = nodes
      else answer.nodes6 = nodes
      left -= nodes.length * each + '6:nodes6999:'.length
    }
  }

  function addPeers(answer: Answer, target: Uint8Array, asker: Asker, room: number): number {
    const family = familyOf(asker.host)
    const each = stringBytes(PEER_BYTES[family])
    const most = Math.min(MAX_PEERS, Math.floor((room - '6:valuesle'.length) / each))
    if (most <= 0) return 0
    const own = deps.ownPeers(target, asker)
    const found = [...own, ...deps.peers.sample(toHex(target), family, most)].slice(0, most)
    answer.peers = found
    return found.length === 0 ? 0 : found.length * each + '6:valuesle'.length
  }

  function find(query: Query, asker: Asker, limit: number): Reply {
    const family = familyOf(asker.host)
    const answer: Answer = { id: deps.ownId(family), nodes: [], nodes6: [], peers: [] }
    const { question } = query
    const size = (): number => encodeResponse(query.transaction, answer, asker).length
    let withheld = false
    if (question.method !== 'ping' && 'target' in question) {
      const { target } = question
      const families = query.want.length > 0 ? query.want : [family]
      if (question.method !== 'find_node') answer.token = deps.tokens.issue(asker.host, target)
      if (question.method === 'get') withheld = addItem(answer, question, size, limit)
      let room = limit - size()
      if (question.method === 'get_peers')
        room -= addPeers(answer, target, asker, asker.proven ? room - 300 : room / 2)
      addNodes(answer, target, families, room)
    }
    return { datagram: encodeResponse(query.transaction, answer, asker), withheld }
  }

  /** Returns whether the item had to be left out. */
  function addItem(
    answer: Answer,
    question: Question & { method: 'get' },
    size: () => number,
    limit: number,
  ): boolean {
    const stored = deps.items.get(asTarget(toHex(question.target)))
    if (!stored) return false
    const { mutable } = stored
    // BEP 44: with nothing newer than the seq asked for, the seq alone is the answer.
    if (mutable && question.seq !== undefined && mutable.seq <= question.seq) {
      answer.seq = mutable.seq
      return false
    }
    const item = wireOf(stored)
    answer.item = item
    if (item.seq !== undefined) answer.seq = item.seq
    if (size() <= limit) return false
    delete answer.item
    delete answer.seq
    return true
  }

  function announce(question: Question & { method: 'announce_peer' }, asker: Asker): string {
    const { target, token } = question
    if (!deps.tokens.accepts(token, asker.host, target)) return 'bad token'
    const port = question.impliedPort ? asker.port : question.port
    const address = { host: asker.host, port }
    if (!isUsable(address, deps.allowLocal)) return 'this address cannot be a peer'
    deps.peers.add(toHex(target), address)
    return ''
  }

  const acknowledge = (query: Query, asker: Asker): Reply => {
    const id = deps.ownId(familyOf(asker.host))
    const answer = { id, nodes: [], nodes6: [], peers: [] }
    return { datagram: encodeResponse(query.transaction, answer, asker), withheld: false }
  }

  const refuse = (query: Query, code: number, message: string): Reply => ({
    datagram: encodeError(query.transaction, code, message),
    withheld: false,
  })

  return {
    /** The reply to a query. Stores what an announce or put may store. */
    answer(query: Query, asker: Asker): Reply {
      const { question } = query
      if (question.method === 'announce_peer') {
        const fault = announce(question, asker)
        return fault === '' ? acknowledge(query, asker) : refuse(query, PROTOCOL_FAULT, fault)
      }
      if (question.method === 'put') {
        const { item, salt, cas, token } = question
        const target = fromHex(targetOf(item, salt))
        if (!deps.tokens.accepts(token, asker.host, target))
          return refuse(query, PROTOCOL_FAULT, 'bad token')
        const fault = deps.items.put(item, salt, cas)
        return fault ? refuse(query, fault.code, fault.message) : acknowledge(query, asker)
      }
      const limit = asker.proven
        ? MAX_REPLY_BYTES
        : Math.min(MAX_REPLY_BYTES, AMPLIFICATION * asker.queryBytes)
      return find(query, asker, limit)
    },
  }
}

export type Server = ReturnType<typeof createServer>
