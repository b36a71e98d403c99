/**
 * The iterative lookup of Kademlia: asks the closest nodes known, learns closer ones, ends when the
 * closest `width` have answered. A node slower than usual gives its place to the next at once and is
 * still heard when it answers after all, so that dead nodes cost one round trip and not a time-out.
 */
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import { endpointKey, isLocal } from './address.ts'
import type { Contact, Response } from './krpc.ts'
import { compareDistance } from './node-id.ts'
import type { Outcome } from './rpc.ts'

/** A node to begin with; of a bootstrap node only the address is known. */
export type Seed = PeerAddress & { id?: Uint8Array }

export interface Answered {
  contact: Contact
  response: Response
}

export interface LookupOptions {
  target: Uint8Array
  seeds: Seed[]
  /** How many of the closest must have answered. */
  width: number
  /** How many may be asked at once, not counting slow ones. */
  parallel: number
  /** Sends one query; `sent` is called when it left. */
  ask(to: PeerAddress, sent: () => void): Promise<Outcome>
  /** How long a reply usually takes at most. */
  patienceMs(): number
  /** The nodes of a response that belong to this lookup, unusable addresses left out. */
  nodesOf(response: Response): Contact[]
  /** Sees every response; true ends the lookup. */
  onAnswer?(answered: Answered): boolean
  /** Whether slow nodes are worth waiting for at the end; default yes. */
  stillWanting?(): boolean
}

export interface LookupOutcome {
  asked: number
  answered: number
  /** All that answered, closest first. */
  closest: Answered[]
}

const MAX_CANDIDATES = 400
const MAX_ASKED = 160

type State = 'new' | 'asked' | 'slow' | 'answered' | 'dead'

interface Candidate extends PeerAddress {
  id: Uint8Array | undefined
  state: State
  response?: Response
}

export async function lookup(options: LookupOptions, signal?: AbortSignal): Promise<LookupOutcome> {
  const { target, width } = options
  let candidates: Candidate[] = []
  const endpoints = new Set<string>()
  const counts = { asked: 0, answered: 0 }
  const timers = new Set<NodeJS.Timeout>()
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  let over = false

  function finish(): void {
    over = true
    for (const timer of timers) clearTimeout(timer)
    end()
  }

  // Who gives no id comes first: a bootstrap node is asked before the order is known.
  const byDistance = (a: Candidate, b: Candidate): number => {
    if (!a.id || !b.id) return a.id ? 1 : b.id ? -1 : 0
    return compareDistance(target, a.id, b.id)
  }

  function offer(seed: Seed): void {
    // One candidate a public host: a host that claims many ids does not get many places.
    const key = isLocal(seed.host) ? endpointKey(seed) : seed.host
    if (endpoints.has(key) || endpoints.size >= MAX_CANDIDATES) return
    endpoints.add(key)
    candidates.push({ host: seed.host, port: seed.port, id: seed.id, state: 'new' })
  }

  function answered(candidate: Candidate, response: Response): void {
    counts.answered++
    candidate.id = response.id
    candidate.state = 'answered'
    candidate.response = response
    const contact = { id: response.id, host: candidate.host, port: candidate.port }
    const enough = options.onAnswer?.({ contact, response }) ?? false
    for (const node of options.nodesOf(response)) offer(node)
    candidates.sort(byDistance)
    if (enough) finish()
  }

  async function ask(candidate: Candidate): Promise<void> {
    candidate.state = 'asked'
    counts.asked++
    let timer: NodeJS.Timeout | undefined
    const outcome = await options.ask(candidate, () => {
      timer = setTimeout(() => {
        if (timer) timers.delete(timer)
        if (candidate.state === 'asked') candidate.state = 'slow'
        pump()
      }, options.patienceMs())
      timers.add(timer)
    })
    if (timer) timers.delete(timer)
    clearTimeout(timer)
    if (over) return
    if (outcome.kind === 'response') answered(candidate, outcome)
    else {
      // An error reply comes from a living node that cannot serve this query.
      if (outcome.kind === 'error') counts.answered++
      candidate.state = 'dead'
    }
    pump()
  }

  function pump(): void {
    if (over) return
    const live = candidates.filter((candidate) => candidate.state !== 'dead')
    const quick = live.filter((candidate) => candidate.state !== 'slow')
    const front = quick.slice(0, width)
    let busy = front.filter((candidate) => candidate.state === 'asked').length
    for (const candidate of front) {
      if (busy >= options.parallel || counts.asked >= MAX_ASKED) break
      if (candidate.state !== 'new') continue
      busy++
      void ask(candidate)
    }
    if (busy > 0) return
    const wanting = options.stillWanting?.() ?? true
    if (!wanting || !live.some((candidate) => candidate.state === 'slow')) finish()
  }

  for (const seed of options.seeds) offer(seed)
  candidates.sort(byDistance)
  signal?.addEventListener('abort', finish, { once: true })
  if (signal?.aborted) finish()
  pump()
  await ended
  signal?.removeEventListener('abort', finish)
  candidates = candidates.filter((candidate) => candidate.state === 'answered').sort(byDistance)
  const closest = candidates.flatMap(({ id, host, port, response }) =>
    id && response ? [{ contact: { id, host, port }, response }] : [],
  )
  return { ...counts, closest }
}
