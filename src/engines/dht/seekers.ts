/** What the node does for its callers: lookups over both families, merged and verified. */
import {
  immutableTarget,
  isSignedByOwner,
  MAX_SALT_BYTES,
  mutableTarget,
} from '../../base/bep44.ts'
import { fromHex, toHex } from '../../base/bytes.ts'
import {
  type InfoHash,
  type PublicKey,
  type Target,
  target as asTarget,
} from '../../base/hashes.ts'
import type { GetOutcome, PeerAddress, PutOutcome, SignedItem } from '../../base/ports/dht-node.ts'
import { endpointKey, isUsable } from './address.ts'
import { DhtBadItem } from './errors.ts'
import type { FamilyNode, LookupPart, Priority } from './family-node.ts'
import { type ItemStore, signedOf, valueFault, wireOf } from './item-store.ts'
import type { Question, WireItem } from './krpc.ts'
import type { Answered, LookupOutcome } from './lookup.ts'
import type { PeerStore } from './peer-store.ts'

/** Kademlia's k: whoever announces or reads turns to the eight closest. */
const K = 8
/** Twenty copies outlive two days, eight do not. */
const PUT_WIDTH = 20
const MAX_PEERS_FOUND = 2000
const MAX_OWN_PEERS = 200

export interface SeekerDeps {
  families: readonly FamilyNode[]
  items: ItemStore
  peers: PeerStore
  allowLocal: boolean
  /** Waits, not for ever, until there is a node to ask. */
  ready(signal?: AbortSignal): Promise<void>
}

interface PutOptions {
  /** Asks for tokens. */
  find: Question
  question: (token: Uint8Array) => Question
  width: number
  priority: Priority
}

/** A node that may be written to. */
interface Writable extends Answered {
  family: FamilyNode
  token: Uint8Array
}

export function createSeekers(deps: SeekerDeps) {
  async function lookupAll(
    part: LookupPart,
    signal?: AbortSignal,
  ): Promise<{ asked: number; answered: number; byFamily: [FamilyNode, LookupOutcome][] }> {
    await deps.ready(signal)
    const byFamily = await Promise.all(
      deps.families.map(
        async (family): Promise<[FamilyNode, LookupOutcome]> => [
          family,
          await family.lookup(part, signal),
        ],
      ),
    )
    const sum = (pick: (outcome: LookupOutcome) => number): number =>
      byFamily.reduce((total, [, outcome]) => total + pick(outcome), 0)
    return { asked: sum((o) => o.asked), answered: sum((o) => o.answered), byFamily }
  }

  const writable = ([family, outcome]: [FamilyNode, LookupOutcome]): Writable[] =>
    outcome.closest.flatMap((answered) => {
      const { token } = answered.response
      return token ? [{ ...answered, family, token }] : []
    })

  /** Writes to the closest until `copies` took it or nobody is left; counts refusals by code. */
  async function write(
    nodes: Writable[],
    copies: number,
    question: (token: Uint8Array) => Question,
  ): Promise<{ stored: number; errors: Record<number, number> }> {
    const errors: Record<number, number> = {}
    let stored = 0
    for (let at = 0; at < nodes.length && stored < copies; ) {
      const batch = nodes.slice(at, at + copies - stored)
      at += batch.length
      const outcomes = await Promise.all(
        batch.map(({ contact, family, token }) => family.ask(contact, question(token))),
      )
      for (const outcome of outcomes) {
        if (outcome.kind === 'response') stored++
        if (outcome.kind === 'error') errors[outcome.code] = (errors[outcome.code] ?? 0) + 1
      }
    }
    return { stored, errors }
  }

  /** Finds the closest nodes with tokens and writes to them, per family. */
  async function put(target: Target, options: PutOptions, signal?: AbortSignal) {
    const { find, question, width } = options
    let tokens = 0
    const part: LookupPart = {
      target: fromHex(target),
      question: find,
      width,
      priority: options.priority,
      onAnswer: ({ response }) => {
        if (response.token) tokens++
        return false
      },
      stillWanting: () => tokens < width,
    }
    const { asked, byFamily } = await lookupAll(part, signal)
    const outcome: PutOutcome = { target, asked, stored: 0, errors: {} }
    if (signal?.aborted) return outcome
    const written = await Promise.all(
      byFamily.map(async (found) => write(writable(found), width, question)),
    )
    for (const { stored, errors } of written) {
      outcome.stored += stored
      for (const [code, nodes] of Object.entries(errors))
        outcome.errors[Number(code)] = (outcome.errors[Number(code)] ?? 0) + nodes
    }
    return outcome
  }

  function checkValue(value: Uint8Array): void {
    const fault = valueFault(value)
    if (fault) throw new DhtBadItem(fault)
  }

  return {
    async *peers(infoHash: InfoHash, signal?: AbortSignal): AsyncGenerator<PeerAddress[]> {
      const target = fromHex(infoHash)
      const seen = new Set<string>()
      const batches: PeerAddress[][] = []
      let wake = Promise.withResolvers<void>()
      let over = false
      const stopping = new AbortController()
      const until = signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal
      const offer = (peers: PeerAddress[]): boolean => {
        const fresh = peers.filter((peer) => {
          const key = endpointKey(peer)
          if (seen.has(key) || !isUsable(peer, deps.allowLocal)) return false
          seen.add(key)
          return true
        })
        if (fresh.length > 0) batches.push(fresh)
        wake.resolve()
        return seen.size >= MAX_PEERS_FOUND
      }
      const question = { method: 'get_peers', target } as const
      const part: LookupPart = {
        target,
        question,
        width: K,
        priority: 'now',
        onAnswer: ({ response }) => offer(response.peers),
        stillWanting: () => seen.size === 0,
      }
      // What others announced to this node is as good as what they announced elsewhere.
      for (const { family } of deps.families)
        offer(deps.peers.sample(infoHash, family, MAX_OWN_PEERS))
      const running = lookupAll(part, until).finally(() => {
        over = true
        wake.resolve()
      })
      try {
        for (;;) {
          if (signal?.aborted) return
          const batch = batches.shift()
          if (batch) yield batch
          else if (over) return
          else {
            await wake.promise
            wake = Promise.withResolvers<void>()
          }
        }
      } finally {
        stopping.abort()
        await running
      }
    },

    async announce(infoHash: InfoHash, port: number, signal?: AbortSignal): Promise<PutOutcome> {
      const target = fromHex(infoHash)
      return put(
        asTarget(infoHash),
        {
          find: { method: 'get_peers', target },
          question: (token) => ({
            method: 'announce_peer',
            target,
            token,
            port,
            impliedPort: false,
          }),
          width: K,
          priority: 'background',
        },
        signal,
      )
    },

    async getImmutable(hash: Target, signal?: AbortSignal): Promise<GetOutcome<Uint8Array>> {
      const found: Omit<GetOutcome<Uint8Array>, 'asked' | 'answered'> = { holders: 0, rejected: 0 }
      const target = fromHex(hash)
      const take = ({ response }: Answered): boolean => {
        if (!response.item && !response.badItem) return false
        const value = response.item?.value
        if (!value || valueFault(value) || immutableTarget(value) !== hash) {
          found.rejected++
          return false
        }
        found.holders++
        found.item = Uint8Array.from(value)
        return true
      }
      const part: LookupPart = {
        target,
        question: { method: 'get', target },
        width: K,
        priority: 'now',
        onAnswer: take,
      }
      const { asked, answered } = await lookupAll(part, signal)
      const own = deps.items.get(hash)
      if (!found.item && own && answered > 0) {
        found.item = own.value
        found.holders++
      }
      return { ...found, asked, answered }
    },

    async getMutable(
      key: PublicKey,
      salt: Uint8Array,
      signal?: AbortSignal,
    ): Promise<GetOutcome<SignedItem>> {
      const hash = mutableTarget(key, salt)
      const target = fromHex(hash)
      const read = createMutableReader(key, salt)
      const part: LookupPart = {
        target,
        question: { method: 'get', target },
        width: K,
        priority: 'now',
        onAnswer: (answered) => {
          read.take(answered)
          return false
        },
        stillWanting: () => read.best() === undefined,
      }
      const { asked, answered, byFamily } = await lookupAll(part, signal)
      const own = deps.items.get(hash)?.mutable
      // Our own store is one more holder of the network, never the network itself.
      if (own && answered > 0) read.keep(own)
      const item = read.best()
      if (item && !signal?.aborted) void refreshOlder(item, byFamily.flatMap(writable), read)
      return { ...(item && { item }), asked, answered, ...read.counts }
    },

    async putImmutable(value: Uint8Array, signal?: AbortSignal): Promise<PutOutcome> {
      checkValue(value)
      const hash = immutableTarget(value)
      const target = fromHex(hash)
      deps.items.put({ value }, new Uint8Array(0))
      return put(
        hash,
        {
          find: { method: 'get', target },
          question: (token) => ({
            method: 'put',
            token,
            item: { value },
            salt: new Uint8Array(0),
          }),
          width: PUT_WIDTH,
          priority: 'now',
        },
        signal,
      )
    },

    async putMutable(item: SignedItem, cas?: number, signal?: AbortSignal): Promise<PutOutcome> {
      checkValue(item.value)
      if (item.salt.length > MAX_SALT_BYTES)
        throw new DhtBadItem(`a salt of ${item.salt.length} bytes`)
      if (item.seq < 0 || !isSignedByOwner(item))
        throw new DhtBadItem('its signature does not hold')
      const hash = mutableTarget(item.publicKey, item.salt)
      const target = fromHex(hash)
      const wire = wireOfSigned(item)
      const outcome = await put(
        hash,
        {
          find: { method: 'get', target },
          question: (token) => ({
            method: 'put',
            token,
            item: wire,
            salt: item.salt,
            ...(cas !== undefined && { cas }),
          }),
          width: PUT_WIDTH,
          priority: 'now',
        },
        signal,
      )
      // No cas here: our copy may be older than what the caller read elsewhere. What the network
      // calls outdated must not be served from here either.
      if (!outcome.errors[301] && !outcome.errors[302]) deps.items.put(wire, item.salt)
      return outcome
    },
  }

  /** BEP 44: who returned an older seq is told the newer one; a courtesy, so within the small budget. */
  async function refreshOlder(
    item: SignedItem,
    nodes: Writable[],
    read: MutableReader,
  ): Promise<void> {
    const question = (token: Uint8Array): Question => ({
      method: 'put',
      token,
      item: wireOfSigned(item),
      salt: item.salt,
    })
    const older = nodes.filter(
      ({ contact }) => (read.seqFrom(toHex(contact.id)) ?? item.seq) < item.seq,
    )
    for (const { family, contact, token } of older.slice(0, K)) {
      await family.askPatiently(contact, question(token))
    }
  }
}

const wireOfSigned = (item: SignedItem): WireItem =>
  wireOf({
    target: mutableTarget(item.publicKey, item.salt),
    at: 0,
    value: item.value,
    mutable: item,
  })

/** Keeps the valid item with the highest seq, and who returned what. */
function createMutableReader(key: PublicKey, salt: Uint8Array) {
  const counts = { holders: 0, rejected: 0 }
  const seqs = new Map<string, number>()
  let best: SignedItem | undefined

  function keep(item: SignedItem): void {
    counts.holders++
    if (!best || item.seq > best.seq) best = item
  }

  return {
    counts,
    best: () => best,
    keep,
    seqFrom: (id: string) => seqs.get(id),
    take({ contact, response }: Answered): void {
      if (!response.item && !response.badItem) return
      const item = response.item && signedOf(response.item, salt)
      const holds =
        item !== undefined &&
        item.publicKey === key &&
        item.seq >= 0 &&
        valueFault(item.value) === undefined &&
        isSignedByOwner(item)
      if (!holds) {
        counts.rejected++
        return
      }
      seqs.set(toHex(contact.id), item.seq)
      keep(item)
    },
  }
}

type MutableReader = ReturnType<typeof createMutableReader>
