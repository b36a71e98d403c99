/**
 * KRPC messages (BEP 5, 32, 42, 43, 44) as a pure pair of decode and encode. Every field a stranger
 * sends is checked here once, so that nothing behind this file meets a surprise.
 */
import {
  type BDict,
  type BValue,
  decode,
  type Encodable,
  encode,
  encodeRawDict,
} from '../../base/bencode.ts'
import { latin1 } from '../../base/bytes.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import { type Family, packPeer, PEER_BYTES, unpackPeer } from './address.ts'
import { ID_BYTES } from './node-id.ts'

export interface Contact extends PeerAddress {
  id: Uint8Array
}

/** A BEP 44 item as it travels; `value` is bencoded. The last three are there for mutable ones. */
export interface WireItem {
  value: Uint8Array
  key?: Uint8Array
  signature?: Uint8Array
  seq?: number
}

export type Question =
  | { method: 'ping' }
  | { method: 'find_node'; target: Uint8Array }
  | { method: 'get_peers'; target: Uint8Array }
  | {
      method: 'announce_peer'
      target: Uint8Array
      token: Uint8Array
      port: number
      impliedPort: boolean
    }
  | { method: 'get'; target: Uint8Array; seq?: number }
  | { method: 'put'; token: Uint8Array; item: WireItem; salt: Uint8Array; cas?: number }

export interface Query {
  kind: 'query'
  transaction: Uint8Array
  id: Uint8Array
  /** BEP 43: the sender asks not to be kept as a node. */
  readOnly: boolean
  /** BEP 32: families asked for; empty is the family of the socket. */
  want: Family[]
  question: Question
}

/** A query that deserves an error reply: known sender form, bad content. */
export interface BadQuery {
  kind: 'bad-query'
  transaction: Uint8Array
  code: number
  message: string
}

export interface Answer {
  id: Uint8Array
  nodes: Contact[]
  nodes6: Contact[]
  peers: PeerAddress[]
  token?: Uint8Array
  item?: WireItem
  /** A seq alone: the holder has nothing newer than was asked for. */
  seq?: number
}

export interface Response extends Answer {
  kind: 'response'
  transaction: Uint8Array
  /** BEP 42: our address as the other side sees it. */
  seenAs?: PeerAddress
  /** There was an item, and it was malformed. */
  badItem: boolean
}

export interface ErrorReply {
  kind: 'error'
  transaction: Uint8Array
  code: number
  message: string
}

export type Message = Query | BadQuery | Response | ErrorReply

/** Codes of BEP 5 and BEP 44. */
export const PROTOCOL_FAULT = 203
export const METHOD_UNKNOWN = 204

/** Larger datagrams are dropped unread; replies of others stay well below. */
export const MAX_DATAGRAM_BYTES = 8192
const LIMITS = { maxDepth: 16, maxValues: 2000 }
const MAX_TRANSACTION_BYTES = 32
const MAX_TOKEN_BYTES = 128
const MAX_NODES = 64
const MAX_PEERS = 512

const VERSION = Uint8Array.from([0x42, 0x4c, 0x00, 0x01])

const bytesAt = (dict: BDict, key: string, length: number): Uint8Array | undefined => {
  const value = dict.get(key)
  return value instanceof Uint8Array && value.length === length ? value : undefined
}

const shortBytesAt = (dict: BDict, key: string, most: number): Uint8Array | undefined => {
  const value = dict.get(key)
  return value instanceof Uint8Array && value.length > 0 && value.length <= most ? value : undefined
}

const numberAt = (dict: BDict, key: string): number | undefined => {
  const value = dict.get(key)
  return typeof value === 'number' ? value : undefined
}

const textAt = (dict: BDict, key: string): string | undefined => {
  const value = dict.get(key)
  return value instanceof Uint8Array && value.length <= 32 ? latin1(value) : undefined
}

function readWant(args: BDict): Family[] {
  const want = args.get('want')
  if (!Array.isArray(want)) return []
  const names = want.slice(0, 4).map((name) => (name instanceof Uint8Array ? latin1(name) : ''))
  const families: Family[] = []
  if (names.includes('n4')) families.push(4)
  if (names.includes('n6')) families.push(6)
  return families
}

/** The item of a put or a response; undefined where a field of it is malformed. */
function readItem(dict: BDict): WireItem | undefined {
  const v = dict.get('v')
  if (v === undefined) return undefined
  // Decoding is strict, so encoding again gives the very bytes that were hashed or signed.
  const value = encode(v)
  if (!dict.has('k') && !dict.has('sig')) return { value }
  const key = bytesAt(dict, 'k', 32)
  const signature = bytesAt(dict, 'sig', 64)
  const seq = numberAt(dict, 'seq')
  return key && signature && seq !== undefined ? { value, key, signature, seq } : undefined
}

/** A question, or what is wrong with the query; undefined for a method nobody knows. */
function readQuestion(method: string, args: BDict): Question | string | undefined {
  switch (method) {
    case 'ping':
      return { method }
    case 'find_node':
    case 'get_peers':
    case 'get':
      return readSearch(method, args)
    case 'announce_peer':
      return readAnnounce(args)
    case 'put':
      return readPut(args)
    default:
      return undefined
  }
}

function readSearch(method: 'find_node' | 'get_peers' | 'get', args: BDict): Question | string {
  const target = bytesAt(args, method === 'get_peers' ? 'info_hash' : 'target', ID_BYTES)
  if (!target) return 'target or info_hash must be 20 bytes'
  const seq = method === 'get' ? numberAt(args, 'seq') : undefined
  return method === 'get' && seq !== undefined ? { method, target, seq } : { method, target }
}

function readAnnounce(args: BDict): Question | string {
  const target = bytesAt(args, 'info_hash', ID_BYTES)
  const token = shortBytesAt(args, 'token', MAX_TOKEN_BYTES)
  if (!target || !token) return 'info_hash and token are needed'
  const port = numberAt(args, 'port') ?? 0
  const impliedPort = (numberAt(args, 'implied_port') ?? 0) !== 0
  if (!impliedPort && !(port > 0 && port < 65536)) return 'port is out of range'
  return { method: 'announce_peer', target, token, port, impliedPort }
}

function readPut(args: BDict): Question | string {
  const token = shortBytesAt(args, 'token', MAX_TOKEN_BYTES)
  const item = readItem(args)
  const salt = args.get('salt') ?? new Uint8Array(0)
  if (!token) return 'token is missing'
  if (!item || !(salt instanceof Uint8Array)) return 'the item is malformed'
  const cas = args.get('cas')
  if (cas === undefined) return { method: 'put', token, item, salt }
  return typeof cas === 'number' ? { method: 'put', token, item, salt, cas } : 'cas is malformed'
}

function readQuery(top: BDict, transaction: Uint8Array): Query | BadQuery | undefined {
  const method = textAt(top, 'q')
  const args = top.get('a')
  const bad = (code: number, message: string): BadQuery => ({
    kind: 'bad-query',
    transaction,
    code,
    message,
  })
  if (method === undefined || !(args instanceof Map)) return undefined
  const id = bytesAt(args, 'id', ID_BYTES)
  if (!id) return bad(PROTOCOL_FAULT, 'id must be 20 bytes')
  const question = readQuestion(method, args)
  if (question === undefined) return bad(METHOD_UNKNOWN, 'method unknown')
  if (typeof question === 'string') return bad(PROTOCOL_FAULT, question)
  const readOnly = numberAt(top, 'ro') === 1
  return { kind: 'query', transaction, id, readOnly, want: readWant(args), question }
}

function readNodes(value: BValue | undefined, family: Family): Contact[] {
  if (!(value instanceof Uint8Array)) return []
  const stride = ID_BYTES + PEER_BYTES[family]
  const nodes: Contact[] = []
  const end = Math.min(value.length, MAX_NODES * stride)
  for (let at = 0; at + stride <= end; at += stride) {
    const address = unpackPeer(value.subarray(at + ID_BYTES, at + stride))
    if (address) nodes.push({ id: Uint8Array.from(value.subarray(at, at + ID_BYTES)), ...address })
  }
  return nodes
}

function readPeers(value: BValue | undefined): PeerAddress[] {
  if (!Array.isArray(value)) return []
  return value.slice(0, MAX_PEERS).flatMap((entry) => {
    const peer = entry instanceof Uint8Array ? unpackPeer(entry) : undefined
    return peer ? [peer] : []
  })
}

function readResponse(top: BDict, transaction: Uint8Array): Response | undefined {
  const body = top.get('r')
  if (!(body instanceof Map)) return undefined
  const id = bytesAt(body, 'id', ID_BYTES)
  if (!id) return undefined
  const item = readItem(body)
  const token = shortBytesAt(body, 'token', MAX_TOKEN_BYTES)
  const seq = numberAt(body, 'seq')
  const ip = top.get('ip')
  const seenAs = ip instanceof Uint8Array ? unpackPeer(ip) : undefined
  return {
    kind: 'response',
    transaction,
    id: Uint8Array.from(id),
    nodes: readNodes(body.get('nodes'), 4),
    nodes6: readNodes(body.get('nodes6'), 6),
    peers: readPeers(body.get('values')),
    badItem: body.has('v') && item === undefined,
    ...(token && { token: Uint8Array.from(token) }),
    ...(item && { item }),
    ...(seq !== undefined && { seq }),
    ...(seenAs && { seenAs }),
  }
}

function readError(top: BDict, transaction: Uint8Array): ErrorReply {
  const [code, message] = Array.isArray(top.get('e')) ? (top.get('e') as BValue[]) : []
  return {
    kind: 'error',
    transaction,
    code: typeof code === 'number' ? code : 0,
    message: message instanceof Uint8Array ? latin1(message.subarray(0, 200)) : '',
  }
}

/** Reads one datagram; undefined for what is no KRPC message and deserves no answer. Never throws. */
export function decodeMessage(datagram: Uint8Array): Message | undefined {
  if (datagram.length > MAX_DATAGRAM_BYTES || datagram[0] !== 0x64) return undefined
  let top: BValue
  try {
    top = decode(datagram, LIMITS)
  } catch {
    return undefined
  }
  if (!(top instanceof Map)) return undefined
  const transaction = shortBytesAt(top, 't', MAX_TRANSACTION_BYTES)
  if (!transaction) return undefined
  const kind = textAt(top, 'y')
  if (kind === 'q') return readQuery(top, transaction)
  if (kind === 'r') return readResponse(top, transaction)
  return kind === 'e' ? readError(top, transaction) : undefined
}

const rawDict = (entries: Record<string, Encodable | undefined>): Map<string, Uint8Array> => {
  const raw = new Map<string, Uint8Array>()
  for (const [key, value] of Object.entries(entries)) {
    if (value !== undefined) raw.set(key, encode(value))
  }
  return raw
}

const itemEntries = (item: WireItem): [string, Uint8Array][] => [
  ['v', item.value],
  ...rawDict({ k: item.key, sig: item.signature, seq: item.seq }),
]

function questionArgs(question: Question): Map<string, Uint8Array> {
  switch (question.method) {
    case 'ping':
      return new Map()
    case 'find_node':
      return rawDict({ target: question.target })
    case 'get_peers':
      return rawDict({ info_hash: question.target })
    case 'get':
      return rawDict({ target: question.target, seq: question.seq })
    case 'announce_peer':
      return rawDict({
        info_hash: question.target,
        token: question.token,
        port: question.port,
        implied_port: question.impliedPort ? 1 : 0,
      })
    case 'put': {
      const salt = question.salt.length > 0 ? question.salt : undefined
      return new Map([
        ...rawDict({ token: question.token, salt, cas: question.cas }),
        ...itemEntries(question.item),
      ])
    }
  }
}

export function encodeQuery(query: Omit<Query, 'kind'>): Uint8Array {
  const args = questionArgs(query.question)
  args.set('id', encode(query.id))
  if (query.want.length > 0)
    args.set('want', encode(query.want.map((family) => (family === 4 ? 'n4' : 'n6'))))
  const top = rawDict({
    q: query.question.method,
    ro: query.readOnly ? 1 : undefined,
    t: query.transaction,
    v: VERSION,
    y: 'q',
  })
  return encodeRawDict(top.set('a', encodeRawDict(args)))
}

const packNodes = (nodes: readonly Contact[]): Uint8Array | undefined =>
  nodes.length > 0 ? Buffer.concat(nodes.flatMap((node) => [node.id, packPeer(node)])) : undefined

/** @param seenAs the address of who asked (BEP 42) */
export function encodeResponse(
  transaction: Uint8Array,
  answer: Answer,
  seenAs?: PeerAddress,
): Uint8Array {
  const body = rawDict({
    id: answer.id,
    nodes: packNodes(answer.nodes),
    nodes6: packNodes(answer.nodes6),
    token: answer.token,
    values: answer.peers.length > 0 ? answer.peers.map(packPeer) : undefined,
    seq: answer.seq,
  })
  if (answer.item) for (const [key, raw] of itemEntries(answer.item)) body.set(key, raw)
  // No version here: these bytes are better spent inside the reply's size limit.
  const top = rawDict({ ip: seenAs && packPeer(seenAs), t: transaction, y: 'r' })
  return encodeRawDict(top.set('r', encodeRawDict(body)))
}

export function encodeError(transaction: Uint8Array, code: number, message: string): Uint8Array {
  return encode({ t: transaction, y: 'e', e: [code, message] })
}
