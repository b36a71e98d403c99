/** Queries and their replies: transactions, time-outs, and how long a reply usually takes. */
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import { endpointKey, type Family } from './address.ts'
import { encodeQuery, type ErrorReply, type Question, type Response } from './krpc.ts'
import type { RandomBytes } from './node-id.ts'

/** How a query ended: `silence` after the time-out, `unsent` when it never left. */
export type Outcome = Response | ErrorReply | { kind: 'silence' } | { kind: 'unsent' }

const TIMEOUT_MS = 2000
const MAX_IN_FLIGHT = 1024
/** Nobody is called slow before this. */
const MIN_PATIENCE_MS = 60
const MAX_PATIENCE_MS = 1000
const FIRST_PATIENCE_MS = 300

interface Pending {
  to: string
  sentAt: number
  timer: NodeJS.Timeout
  done(outcome: Outcome): void
}

export interface RpcDeps {
  send(datagram: Uint8Array, to: PeerAddress): void
  ownId(): Uint8Array
  readOnly(): boolean
  random: RandomBytes
}

/** Smoothed round trip and its deviation, as RFC 6298 keeps them for TCP. */
function createPatience() {
  let smoothed: number | undefined
  let deviation = 0
  return {
    learn(roundTripMs: number): void {
      if (smoothed === undefined) {
        smoothed = roundTripMs
        deviation = roundTripMs / 2
        return
      }
      deviation += (Math.abs(roundTripMs - smoothed) - deviation) / 4
      smoothed += (roundTripMs - smoothed) / 8
    },
    /** After this a node is slow: others are asked meanwhile, its reply still counts. */
    ms(): number {
      if (smoothed === undefined) return FIRST_PATIENCE_MS
      return Math.min(MAX_PATIENCE_MS, Math.max(MIN_PATIENCE_MS, smoothed + 4 * deviation))
    },
  }
}

export function createRpc(deps: RpcDeps) {
  const pending = new Map<number, Pending>()
  const patience = createPatience()
  const stats = { asked: 0, answered: 0, silent: 0, unexpected: 0 }
  const [first = 0, second = 0] = deps.random(2)
  let next = (first << 8) | second
  let stopped = false

  function freeTransaction(): number | undefined {
    if (pending.size >= MAX_IN_FLIGHT) return undefined
    do next = (next + 1) & 0xffff
    while (pending.has(next))
    return next
  }

  function settle(number: number, outcome: Outcome): void {
    const entry = pending.get(number)
    if (!entry) return
    pending.delete(number)
    clearTimeout(entry.timer)
    entry.done(outcome)
  }

  return {
    stats,
    patienceMs: () => patience.ms(),
    inFlight: () => pending.size,
    /** Sends at once; never rejects. */
    async ask(to: PeerAddress, question: Question, want: Family[] = []): Promise<Outcome> {
      const number = stopped ? undefined : freeTransaction()
      if (number === undefined) return { kind: 'unsent' }
      stats.asked++
      return new Promise((done) => {
        const timer = setTimeout(() => {
          stats.silent++
          settle(number, { kind: 'silence' })
        }, TIMEOUT_MS)
        pending.set(number, { to: endpointKey(to), sentAt: performance.now(), timer, done })
        const transaction = Uint8Array.of(number >> 8, number & 255)
        const id = deps.ownId()
        const readOnly = deps.readOnly()
        deps.send(encodeQuery({ transaction, id, readOnly, want, question }), to)
      })
    },
    /** Takes a reply; it counts only from the very endpoint that was asked. Returns whether it did. */
    heard(reply: Response | ErrorReply, from: PeerAddress): boolean {
      const { transaction } = reply
      const number = ((transaction[0] ?? 0) << 8) | (transaction[1] ?? 0)
      const entry = transaction.length === 2 ? pending.get(number) : undefined
      if (!entry || entry.to !== endpointKey(from)) {
        stats.unexpected++
        return false
      }
      stats.answered++
      patience.learn(performance.now() - entry.sentAt)
      settle(number, reply)
      return true
    },
    /** Ends all that waits; what is asked later does not leave. */
    stop(): void {
      stopped = true
      for (const number of pending.keys()) settle(number, { kind: 'silence' })
    },
  }
}

export type Rpc = ReturnType<typeof createRpc>
