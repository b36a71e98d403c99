/** Who is in which swarm by WebSocket. Swarms live as long as they have members, members as long as their socket. */
import type { InfoHash } from '../../base/hashes.ts'
import type { Binary20 } from './socket-message.ts'
import type { SwarmCounts } from './socket-reply.ts'

/** The socket of a member, as far as others of its swarm meet it. */
export interface Speaker {
  /** Who pays for what it asks of the box: its address. */
  readonly payer: string
  send(text: string): void
}

export interface Member<S extends Speaker = Speaker> {
  readonly speaker: S
  readonly swarm: Swarm<S>
  readonly peerId: Binary20
  seed: boolean
  /** Whoever came whole did not complete here, and whoever says it twice completed once. */
  completed: boolean
  /** Beat of its last announce. */
  seenAt: number
  /** Beat of the last offer to the box, and whether the box still thinks about it. */
  boxAskedAt: number | undefined
  boxBusy: boolean
  /** Offers brought to this member and not answered yet, and the beat each came; oldest first. */
  awaited: Map<string, number> | undefined
  /** Place in the list of its kind. */
  place: number
}

export interface Swarm<S extends Speaker = Speaker> {
  readonly infoHash: InfoHash
  readonly byPeerId: Map<Binary20, Member<S>>
  readonly seeds: Member<S>[]
  readonly leechers: Member<S>[]
}

export interface SwarmLimits {
  maxMembers: number
  maxSwarms: number
  maxMembersPerSwarm: number
  maxUnanswered: number
  /** Beats that an offer waits for its answer. */
  answerBeats: number
}

const awaitedKey = (from: Binary20, offerId: Binary20): string => from + offerId

export function createSocketSwarms<S extends Speaker>(limits: SwarmLimits) {
  const swarms = new Map<InfoHash, Swarm<S>>()
  let members = 0

  const listOf = (member: Member<S>) => (member.seed ? member.swarm.seeds : member.swarm.leechers)

  function enlist(member: Member<S>): void {
    const list = listOf(member)
    member.place = list.length
    list.push(member)
  }

  function strike(member: Member<S>): void {
    const list = listOf(member)
    const last = list.pop()
    if (last === undefined || last === member) return
    list[member.place] = last
    last.place = member.place
  }

  function swap(list: Member<S>[], a: number, b: number): void {
    const left = list[a]
    const right = list[b]
    if (left === undefined || right === undefined) return
    list[a] = right
    list[b] = left
    right.place = a
    left.place = b
  }

  function suits(member: Member<S>, asking: Member<S>, beat: number): boolean {
    if (member === asking) return false
    const { awaited } = member
    if (awaited === undefined || awaited.size < limits.maxUnanswered) return true
    for (const [key, came] of awaited) {
      if (beat - came < limits.answerBeats) break
      awaited.delete(key)
    }
    return awaited.size < limits.maxUnanswered
  }

  return {
    find: (infoHash: InfoHash, peerId: Binary20): Member<S> | undefined =>
      swarms.get(infoHash)?.byPeerId.get(peerId),

    /** @returns undefined where there is no room */
    join(
      infoHash: InfoHash,
      { speaker, peerId, seed }: { speaker: S; peerId: Binary20; seed: boolean },
      beat: number,
    ): Member<S> | undefined {
      let swarm = swarms.get(infoHash)
      if (members >= limits.maxMembers) return undefined
      if (swarm === undefined) {
        if (swarms.size >= limits.maxSwarms) return undefined
        swarm = { infoHash, byPeerId: new Map(), seeds: [], leechers: [] }
        swarms.set(infoHash, swarm)
      }
      if (swarm.byPeerId.size >= limits.maxMembersPerSwarm) return undefined
      const member: Member<S> = {
        speaker,
        swarm,
        peerId,
        seed,
        completed: seed,
        seenAt: beat,
        boxAskedAt: undefined,
        boxBusy: false,
        awaited: undefined,
        place: 0,
      }
      swarm.byPeerId.set(peerId, member)
      enlist(member)
      members++
      return member
    },

    leave(member: Member<S>): void {
      const { swarm } = member
      if (swarm.byPeerId.get(member.peerId) !== member) return
      swarm.byPeerId.delete(member.peerId)
      strike(member)
      members--
      if (swarm.byPeerId.size === 0) swarms.delete(swarm.infoHash)
    },

    setSeed(member: Member<S>, seed: boolean): void {
      if (member.seed === seed) return
      strike(member)
      member.seed = seed
      enlist(member)
    },

    /**
     * Others at random, none twice. A seed has nothing to say to seeds, and who leaves offers
     * unanswered gets no further ones.
     */
    pick(asking: Member<S>, count: number, beat: number): Member<S>[] {
      const { seeds, leechers } = asking.swarm
      const picked: Member<S>[] = []
      const askable = asking.seed ? 0 : seeds.length
      let seedsTaken = 0
      let leechersTaken = 0
      // Busy members cost a try each: a swarm full of them must not cost the whole list.
      for (let tries = count * 4 + 4; tries > 0 && picked.length < count; tries--) {
        const seedsLeft = askable - seedsTaken
        const leechersLeft = leechers.length - leechersTaken
        if (seedsLeft + leechersLeft === 0) break
        const at = Math.floor(Math.random() * (seedsLeft + leechersLeft))
        const fromSeeds = at < seedsLeft
        const list = fromSeeds ? seeds : leechers
        const taken = fromSeeds ? seedsTaken++ : leechersTaken++
        swap(list, taken, taken + (fromSeeds ? at : at - seedsLeft))
        const member = list[taken]
        if (member !== undefined && suits(member, asking, beat)) picked.push(member)
      }
      return picked
    },

    /** Remembers that `to` may answer this offer, once. */
    await(to: Member<S>, offer: { from: Binary20; offerId: Binary20 }, beat: number): void {
      to.awaited ??= new Map()
      to.awaited.set(awaitedKey(offer.from, offer.offerId), beat)
    },

    /** Whether `by` was offered this in time, and did not answer it yet. */
    answers(by: Member<S>, offer: { from: Binary20; offerId: Binary20 }, beat: number): boolean {
      const key = awaitedKey(offer.from, offer.offerId)
      const came = by.awaited?.get(key)
      if (came === undefined) return false
      by.awaited?.delete(key)
      return beat - came < limits.answerBeats
    },

    counts(infoHash: InfoHash): SwarmCounts {
      const swarm = swarms.get(infoHash)
      return { complete: swarm?.seeds.length ?? 0, incomplete: swarm?.leechers.length ?? 0 }
    },

    size: () => ({ swarms: swarms.size, members }),
  }
}

export type SocketSwarms<S extends Speaker> = ReturnType<typeof createSocketSwarms<S>>
