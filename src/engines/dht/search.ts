/** Lookups over both families as one, and writes to whom they found. */
import { fromHex } from '../../base/bytes.ts'
import type { Target } from '../../base/hashes.ts'
import type { PutOutcome } from '../../base/ports/dht-node.ts'
import type { FamilyNode, LookupPart, Priority } from './family-node.ts'
import type { Question } from './krpc.ts'
import type { Answered, LookupOutcome } from './lookup.ts'

/** Kademlia's k: whoever announces or reads turns to the eight closest. */
export const K = 8

export interface SearchDeps {
  families: readonly FamilyNode[]
  /** Waits, not for ever, until there is a node to ask. */
  ready(signal?: AbortSignal): Promise<void>
}

/** A node that may be written to. */
export interface Writable extends Answered {
  family: FamilyNode
  token: Uint8Array
}

export interface Found {
  asked: number
  answered: number
  /** Of each family, the closest first. */
  writable: Writable[][]
}

export interface PutOptions {
  /** Asks for tokens. */
  find: Question
  question: (token: Uint8Array) => Question
  width: number
  priority: Priority
}

const writableOf = (family: FamilyNode, { closest }: LookupOutcome): Writable[] =>
  closest.flatMap((answered) => {
    const { token } = answered.response
    return token ? [{ ...answered, family, token }] : []
  })

/**
 * Writes to the closest until `width` took it or nobody is left; counts refusals by code. Who knows
 * better (301, 302) is not made up for by asking more.
 */
async function write(nodes: Writable[], { width, question, priority }: PutOptions) {
  const errors: Record<number, number> = {}
  let stored = 0
  let newer = 0
  for (let at = 0; at < nodes.length && stored + newer < width; ) {
    const batch = nodes.slice(at, at + width - stored - newer)
    at += batch.length
    const outcomes = await Promise.all(
      batch.map(async ({ contact, family, token }) =>
        priority === 'background'
          ? family.askPatiently(contact, question(token))
          : family.ask(contact, question(token)),
      ),
    )
    for (const outcome of outcomes) {
      if (outcome.kind === 'response') stored++
      if (outcome.kind !== 'error') continue
      errors[outcome.code] = (errors[outcome.code] ?? 0) + 1
      if (outcome.code === 301 || outcome.code === 302) newer++
    }
  }
  return { stored, errors }
}

export function createSearch(deps: SearchDeps) {
  async function find(part: LookupPart, signal?: AbortSignal): Promise<Found> {
    await deps.ready(signal)
    const found: Found = { asked: 0, answered: 0, writable: [] }
    await Promise.all(
      deps.families.map(async (family) => {
        const outcome = await family.lookup(part, signal)
        found.asked += outcome.asked
        found.answered += outcome.answered
        found.writable.push(writableOf(family, outcome))
      }),
    )
    return found
  }

  return {
    find,
    /** Finds the closest nodes with tokens and writes to them, per family. */
    async put(target: Target, options: PutOptions, signal?: AbortSignal): Promise<PutOutcome> {
      let tokens = 0
      const part: LookupPart = {
        target: fromHex(target),
        question: options.find,
        width: options.width,
        priority: options.priority,
        onAnswer: ({ response }) => {
          if (response.token) tokens++
          return false
        },
        stillWanting: () => tokens < options.width,
      }
      const { asked, writable } = await find(part, signal)
      const outcome: PutOutcome = { target, asked, stored: 0, errors: {} }
      if (signal?.aborted) return outcome
      for (const { stored, errors } of await Promise.all(
        writable.map(async (nodes) => write(nodes, options)),
      )) {
        outcome.stored += stored
        for (const [code, nodes] of Object.entries(errors))
          outcome.errors[Number(code)] = (outcome.errors[Number(code)] ?? 0) + nodes
      }
      return outcome
    },
  }
}

export type Search = ReturnType<typeof createSearch>
