/** Brings offers of browsers to the box and its answers back: a few at a time, the others wait their turn. */
import type { TrackerBox } from './deps.ts'
import type { SocketOffer } from './socket-message.ts'
import type { SocketLimits } from './socket-limits.ts'
import { answerReply } from './socket-reply.ts'
import type { Member, Speaker } from './socket-swarm.ts'

interface Errand<S extends Speaker> {
  member: Member<S>
  offer: SocketOffer
  wire: string
  beat: number
}

const hexOf = (wire: string): string => Buffer.from(wire, 'latin1').toString('hex')
const wireOf = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1')

export type BoxLimits = Pick<
  SocketLimits,
  | 'boxAnswering'
  | 'boxWaiting'
  | 'boxPerSocket'
  | 'boxPerAddress'
  | 'boxConnectBeats'
  | 'boxTimeoutMs'
  | 'boxRetryBeats'
  | 'answerBeats'
>

export function createBoxDesk<S extends Speaker>(
  deps: {
    box: TrackerBox
    /** Whether the member still is in its swarm. */
    present(member: Member<S>): boolean
    beat(): number
  },
  limits: BoxLimits,
) {
  const waiting: Errand<S>[] = []
  const underway = new Map<Member<S>, AbortController>()
  const runs = new Set<Promise<void>>()
  /** Offers under way or waiting, of each socket and of each address. */
  const open = new Map<S | string, number>()
  /**
   * Addresses that got an answer lately, the oldest first: each answer holds a place at the box until
   * the browser is connected or late, and nobody shall hold them all with offers it means not.
   */
  const connecting: { payer: string; beat: number }[] = []
  const counters = { offers: 0, answers: 0, refused: 0, failed: 0, late: 0 }
  let stopped = false

  function count(key: S | string, change: 1 | -1): void {
    const now = (open.get(key) ?? 0) + change
    if (now > 0) open.set(key, now)
    else open.delete(key)
  }

  function settle({ member }: Errand<S>, isAnswered = false): void {
    member.boxBusy = false
    count(member.speaker, -1)
    if (isAnswered) connecting.push({ payer: member.speaker.payer, beat: deps.beat() })
    else count(member.speaker.payer, -1)
  }

  function letGo(): void {
    for (let first = connecting[0]; first !== undefined; first = connecting[0]) {
      if (deps.beat() - first.beat <= limits.boxConnectBeats) return
      connecting.shift()
      count(first.payer, -1)
    }
  }

  async function run(errand: Errand<S>, ended: AbortController): Promise<void> {
    const { member, offer, wire } = errand
    const timer = setTimeout(() => ended.abort(), limits.boxTimeoutMs)
    let isAnswered = false
    try {
      counters.offers++
      const peerId = hexOf(member.peerId)
      const answer = await unlessAborted(
        deps.box.answerOffer(member.swarm.infoHash, { sdp: offer.sdp, peerId }, ended.signal),
        ended.signal,
      )
      isAnswered = answer !== undefined
      if (answer === undefined) counters.refused++
      else if (!deps.present(member)) counters.late++
      else {
        counters.answers++
        const from = wireOf(answer.peerId)
        member.speaker.send(
          answerReply({ wire, peerId: from, offerId: offer.offerId, sdp: answer.sdp }),
        )
      }
    } catch {
      // What went wrong is logged where it did; a browser finds other peers, and asks again later.
      counters.failed++
    } finally {
      clearTimeout(timer)
      settle(errand, isAnswered)
      underway.delete(member)
      pump()
    }
  }

  function pump(): void {
    while (!stopped && underway.size < limits.boxAnswering) {
      const errand = waiting.shift()
      if (errand === undefined) return
      if (!deps.present(errand.member) || deps.beat() - errand.beat >= limits.answerBeats) {
        counters.late++
        settle(errand)
        continue
      }
      const ended = new AbortController()
      underway.set(errand.member, ended)
      const done = run(errand, ended).finally(() => runs.delete(done))
      runs.add(done)
    }
  }

  return {
    /**
     * Whether an offer of this member could be of use to the box: not while it thinks about one, nor
     * soon after, as a browser that has its connection announces all the same. One whose connection
     * broke is heard again after `boxRetryBeats`; that the other still stands only the box knows.
     */
    wants(member: Member<S>): boolean {
      if (member.boxBusy) return false
      const asked = member.boxAskedAt
      if (asked !== undefined && deps.beat() - asked < limits.boxRetryBeats) return false
      const holds = deps.box.holds(member.swarm.infoHash)
      return holds === 'part' || (holds === 'whole' && !member.seed)
    },

    /** @returns false where too many wait: the browser had better come again soon */
    offer(member: Member<S>, offer: SocketOffer, wire: string): boolean {
      const { speaker } = member
      letGo()
      const busy =
        (open.get(speaker) ?? 0) >= limits.boxPerSocket ||
        (open.get(speaker.payer) ?? 0) >= limits.boxPerAddress ||
        waiting.length >= limits.boxWaiting
      if (stopped || busy) return false
      member.boxBusy = true
      member.boxAskedAt = deps.beat()
      count(speaker, 1)
      count(speaker.payer, 1)
      waiting.push({ member, offer, wire, beat: deps.beat() })
      pump()
      return true
    },

    /** The member left its swarm: nobody waits for the answer any more. */
    left(member: Member<S>): void {
      underway.get(member)?.abort()
      const at = member.boxBusy ? waiting.findIndex((errand) => errand.member === member) : -1
      for (const errand of at < 0 ? [] : waiting.splice(at, 1)) {
        counters.late++
        settle(errand)
      }
    },

    stats: () => ({
      ...counters,
      answering: underway.size,
      waiting: waiting.length,
    }),

    async stop(): Promise<void> {
      stopped = true
      for (const errand of waiting.splice(0)) settle(errand)
      for (const ended of underway.values()) ended.abort()
      await Promise.all(runs)
    },
  }
}

export type BoxDesk<S extends Speaker> = ReturnType<typeof createBoxDesk<S>>

/** The box may overlook the signal: its place here must become free in time all the same. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(new Error('given up'))
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
