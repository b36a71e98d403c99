/** One address family of the node: its socket, id, table, and the queries that come in and go out. */
import { equalBytes } from '../../base/bytes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import { endpointKey, type Family, familyOf, isLocal, isUsable, payerKey } from './address.ts'
import { createExternalAddress } from './external-address.ts'
import {
  type Contact,
  decodeMessage,
  encodeError,
  type Query,
  type Question,
  type Response,
} from './krpc.ts'
import { type BackgroundBudget, createRateLimiter, createRecentSet } from './limits.ts'
import { lookup, type LookupOptions, type LookupOutcome, type Seed } from './lookup.ts'
import { isSecureId, type RandomBytes, secureId } from './node-id.ts'
import type { Reachability } from './reachability.ts'
import { createRoutingTable } from './routing-table.ts'
import { createRpc, type Outcome } from './rpc.ts'
import type { Server } from './server.ts'
import { createUdpLink, type OpenSocket } from './udp-link.ts'

/** What one address may ask of us; libtorrent's own limit is of the same size. */
const QUERY_RATE = { perSecond: 10, burst: 40 }
/** In a closed network few nodes carry everything. */
const LOCAL_QUERY_RATE = { perSecond: 200, burst: 1000 }
/** All replies together: many more than a household's node is ever asked for. */
const REPLY_RATE = { perSecond: 200, burst: 1000 }
const MAX_PAYERS = 4096
const RECENT_MS = 10 * 60_000
const MAX_RECENT = 4096
const MAX_CHECKS = 64
const MAX_INTRODUCED = 8

export interface FamilyDeps {
  log: Log
  clock: Clock
  random: RandomBytes
  server: Server
  reachability: Reachability
  background: BackgroundBudget
  allowLocal: boolean
  openSocket?: OpenSocket
  /** Families to ask for when searching nodes: both where the node has both (BEP 32). */
  want?: Family[]
  /** Takes nodes of the other family that a reply named. */
  introduce?(nodes: Contact[]): void
}

/** Whether a lookup is somebody waiting, or upkeep that shares the small budget. */
export type Priority = 'now' | 'background'

export type LookupPart = Pick<LookupOptions, 'target' | 'width' | 'onAnswer' | 'stillWanting'> & {
  question: Question
  priority: Priority
  /** Asked besides the nodes of the table. */
  extra?: Seed[]
}

/** Kademlia's alpha. */
const PARALLEL = 6
const MAX_SEEDS = 24

export function createFamilyNode(
  family: Family,
  firstId: Uint8Array | undefined,
  deps: FamilyDeps,
) {
  const { clock, server, allowLocal, reachability } = deps
  const link = createUdpLink(family, {
    log: deps.log,
    onDatagram,
    ...(deps.openSocket && { openSocket: deps.openSocket }),
  })
  let table = createRoutingTable(firstId ?? Uint8Array.from(deps.random(20)), clock)
  const rpc = createRpc({
    send: (datagram, to) => link.send(datagram, to),
    ownId: () => table.ownId,
    readOnly: reachability.readOnly,
    random: deps.random,
  })
  const external = createExternalAddress()
  const strangers = createRateLimiter(QUERY_RATE, MAX_PAYERS, clock)
  const neighbours = createRateLimiter(LOCAL_QUERY_RATE, MAX_PAYERS, clock)
  const replies = createRateLimiter(REPLY_RATE, 1, clock)
  /** Endpoints that answered us: their address is no forgery. */
  const proven = createRecentSet(RECENT_MS, MAX_RECENT, clock)
  /** Hosts we wrote to: what comes from them says nothing about who can reach us. */
  const contacted = createRecentSet(RECENT_MS, MAX_RECENT, clock)
  /** Endpoints pinged to see whether they belong into the table, and before a large reply. */
  const checking = new Set<string>()
  const proving = new Set<string>()
  const stats = { queries: 0, malformed: 0, overBudget: 0, withheld: 0 }

  function onDatagram(datagram: Uint8Array, from: PeerAddress): void {
    const message = decodeMessage(datagram)
    if (message?.kind === 'response' || message?.kind === 'error') {
      if (rpc.heard(message, from) && message.kind === 'response') onResponse(message, from)
      return
    }
    if (!message) stats.malformed++
    // Junk costs its sender as much as a query does.
    const payers = allowLocal && isLocal(from.host) ? neighbours : strangers
    if (!payers.take(payerKey(from)) || (message && !replies.take('all'))) {
      stats.overBudget++
      return
    }
    if (message?.kind === 'bad-query') {
      stats.malformed++
      link.send(encodeError(message.transaction, message.code, message.message), from)
    } else if (message) {
      onQuery(message, from, datagram.length)
    }
  }

  function onResponse(response: Response, from: PeerAddress): void {
    proven.add(endpointKey(from))
    if (isUsable(from, allowLocal)) table.answered({ id: response.id, ...from })
    const others = family === 4 ? response.nodes6 : response.nodes
    if (others.length > 0) deps.introduce?.(others.slice(0, MAX_INTRODUCED))
    const { seenAs } = response
    if (!seenAs || familyOf(seenAs.host) !== family) return
    const agreed = external.vote(from.host, seenAs.host)
    if (agreed && !isLocal(agreed) && !isSecureId(table.ownId, agreed)) moveTo(agreed)
  }

  /** BEP 42: takes an id that belongs to the address the world sees. */
  function moveTo(host: string): void {
    const nodes = table.all()
    table = createRoutingTable(secureId(host, deps.random), clock)
    for (const node of nodes) if (node.failures === 0) table.answered(node)
    deps.log.info({ family, host }, 'the node takes an id that fits its external address')
  }

  function onQuery(query: Query, from: PeerAddress, queryBytes: number): void {
    stats.queries++
    const known = contacted.has(from.host)
    if (!known && !isLocal(from.host)) reachability.reached()
    const asker = { ...from, queryBytes, proven: proven.has(endpointKey(from)) }
    const reply = server.answer(query, asker)
    if (reply.withheld) void proveThenAnswer(query, from, queryBytes, reply.datagram)
    else link.send(reply.datagram, from)
    if (query.readOnly) return
    const contact = { id: Uint8Array.from(query.id), ...from }
    table.asked(contact)
    consider(contact)
  }

  /** A node that we heard of: asked itself when there is a place for it. */
  function consider(contact: Contact): void {
    if (isUsable(contact, allowLocal) && table.wants(contact)) void check(contact)
  }

  /** A large item goes only to an address that answers a ping first; else the short reply goes. */
  async function proveThenAnswer(
    query: Query,
    from: PeerAddress,
    queryBytes: number,
    short: Uint8Array,
  ): Promise<void> {
    stats.withheld++
    const key = endpointKey(from)
    let outcome: Outcome = { kind: 'unsent' }
    if (!proving.has(key) && proving.size < MAX_CHECKS) {
      proving.add(key)
      outcome = await ask(from, { method: 'ping' })
      proving.delete(key)
    }
    const full =
      outcome.kind === 'response' && server.answer(query, { ...from, queryBytes, proven: true })
    link.send(full ? full.datagram : short, from)
  }

  /** Asks back a node that asked us, so that it may enter the table. */
  async function check(contact: Contact): Promise<void> {
    const key = endpointKey(contact)
    if (checking.has(key) || checking.size >= MAX_CHECKS) return
    checking.add(key)
    if (await deps.background.turn(key)) await ask(contact, { method: 'ping' })
    checking.delete(key)
  }

  /** One query; tells the table how it ended. */
  async function ask(to: PeerAddress & { id?: Uint8Array }, question: Question): Promise<Outcome> {
    contacted.add(to.host)
    const before = link.stats.received
    // Only a search for nodes is worth the longer query that asks for both families.
    const want = question.method === 'find_node' ? (deps.want ?? []) : []
    const outcome = await rpc.ask(to, question, want)
    if (outcome.kind === 'silence' && to.id)
      table.failed({ ...to, id: to.id }, link.stats.received === before)
    return outcome
  }

  /** In a lookup: as soon as `sent` is called the wait for the reply begins. */
  async function askInTurn(to: PeerAddress, part: LookupPart, sent: () => void): Promise<Outcome> {
    const key = endpointKey(to)
    if (part.priority === 'background' && !(await deps.background.turn(key)))
      return { kind: 'unsent' }
    sent()
    return ask(to, part.question)
  }

  const nodesOf = (response: Response): Contact[] =>
    (family === 4 ? response.nodes : response.nodes6).filter(
      // Others know us too and name us.
      (node) => isUsable(node, allowLocal) && !equalBytes(node.id, table.ownId),
    )

  return {
    family,
    link,
    rpc,
    stats,
    proven,
    table: () => table,
    id: () => table.ownId,
    externalHostFor: external.hostFor,
    ask,
    consider,
    /** The same within the budget of upkeep. */
    async askPatiently(to: Contact, question: Question): Promise<Outcome> {
      const turn = await deps.background.turn(endpointKey(to))
      return turn ? ask(to, question) : { kind: 'unsent' }
    },
    async lookup(part: LookupPart, signal?: AbortSignal): Promise<LookupOutcome> {
      const near = table.closest(part.target, MAX_SEEDS)
      return lookup(
        {
          target: part.target,
          width: part.width,
          parallel: PARALLEL,
          seeds: [...near, ...(part.extra ?? [])],
          ask: (to, sent) => askInTurn(to, part, sent),
          patienceMs: rpc.patienceMs,
          nodesOf,
          ...(part.onAnswer && { onAnswer: part.onAnswer }),
          ...(part.stillWanting && { stillWanting: part.stillWanting }),
        },
        signal,
      )
    },
    async stop(): Promise<void> {
      rpc.stop()
      await link.close()
    },
  }
}

export type FamilyNode = ReturnType<typeof createFamilyNode>
