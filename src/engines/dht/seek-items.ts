/** Items of BEP 44: gets that verify, puts that count. */
import {
  immutableTarget,
  isSignedByOwner,
  MAX_SALT_BYTES,
  mutableTarget,
} from '../../base/bep44.ts'
import { fromHex, toHex } from '../../base/bytes.ts'
import type { PublicKey, Target } from '../../base/hashes.ts'
import type { GetOutcome, PutOutcome, SignedItem } from '../../base/ports/dht-node.ts'
import { DhtBadItem } from './errors.ts'
import type { LookupPart } from './family-node.ts'
import { type ItemStore, signedOf, valueFault, wireOf } from './item-store.ts'
import type { Question, WireItem } from './krpc.ts'
import type { Answered } from './lookup.ts'
import { K, type Search, type Writable } from './search.ts'

/** Twenty copies outlive two days, eight do not. */
const PUT_WIDTH = 20

export interface ItemSeekerDeps {
  search: Search
  items: ItemStore
}

function checkValue(value: Uint8Array): void {
  const fault = valueFault(value)
  if (fault) throw new DhtBadItem(fault)
}

export function createItemSeeker(deps: ItemSeekerDeps) {
  const { search } = deps

  return {
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
      const { asked, answered } = await search.find(part, signal)
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
      const { asked, answered, writable } = await search.find(part, signal)
      const own = deps.items.get(hash)?.mutable
      // Our own store is one more holder of the network, never the network itself.
      if (own && answered > 0) read.keep(own)
      const item = read.best()
      if (item && !signal?.aborted) void refreshOlder(item, writable.flat(), read)
      return { ...(item && { item }), asked, answered, ...read.counts }
    },

    async putImmutable(value: Uint8Array, signal?: AbortSignal): Promise<PutOutcome> {
      checkValue(value)
      const hash = immutableTarget(value)
      const target = fromHex(hash)
      deps.items.put({ value }, new Uint8Array(0))
      return search.put(
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
      const outcome = await search.put(
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
