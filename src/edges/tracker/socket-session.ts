/** One browser's side of the tracker: what its messages do to the swarms, and what it hears back. */
import type { InfoHash } from '../../base/hashes.ts'
import type { BoxDesk } from './socket-box.ts'
import type { SocketLimits } from './socket-limits.ts'
import {
  type Binary20,
  readSocketMessage,
  type SocketAnnounce,
  type SocketAnswer,
  type SocketScrape,
} from './socket-message.ts'
import {
  announceReply,
  answerReply,
  failureReply,
  offerReply,
  scrapeReply,
  type SwarmCounts,
} from './socket-reply.ts'
import type { Member, SocketSwarms, Speaker } from './socket-swarm.ts'

export interface Session extends Speaker {
  /** Its membership in each swarm: one peer id each. */
  readonly members: Map<InfoHash, Member<Session>>
  /** Beat of its last announce or scrape that could be read. */
  spokeAt: number | undefined
  /** False where its address is in as many swarms as it may be. */
  mayJoin(): boolean
  joined(change: 1 | -1): void
}

/** The tracker behind: what it tracks, and whom it knows by other ways than WebSocket. */
export interface Tracked {
  /** Whether a torrent is tracked at all. */
  allowed(infoHash: InfoHash): boolean
  /** Peers known by address, the box among them. */
  addressPeers(infoHash: InfoHash): SwarmCounts & { downloaded: number }
  /** A peer has the torrent whole now, and had not before. */
  completed(infoHash: InfoHash): void
}

export interface Floor {
  swarms: SocketSwarms<Session>
  desk: BoxDesk<Session>
  tracked: Tracked
  beat(): number
  /** Seconds between two announces, and until one that found the box busy. */
  intervalSeconds: number
  soonSeconds: number
  limits: Pick<SocketLimits, 'maxTorrentsPerSocket'>
}

export function createConversation(floor: Floor) {
  const { swarms, desk, tracked } = floor
  const counters = {
    announces: 0,
    scrapes: 0,
    refused: 0,
    faults: 0,
    offers: 0,
    answers: 0,
    unasked_answers: 0,
  }

  function countsOf(infoHash: InfoHash): SwarmCounts {
    const bySocket = swarms.counts(infoHash)
    const byAddress = tracked.addressPeers(infoHash)
    return {
      complete: bySocket.complete + byAddress.complete,
      incomplete: bySocket.incomplete + byAddress.incomplete,
    }
  }

  function leave(session: Session, member: Member<Session>): void {
    session.members.delete(member.swarm.infoHash)
    session.joined(-1)
    swarms.leave(member)
    desk.left(member)
  }

  function refuse(session: Session, reason: string, wire: Binary20): void {
    counters.refused++
    session.send(failureReply({ reason, action: 'announce', wire }))
  }

  /** The session's member, new or as it was; or why there is none. */
  function take(session: Session, message: SocketAnnounce): Member<Session> | string {
    const { infoHash, peerId, left, event } = message
    const known = session.members.get(infoHash)
    const seed = left === 0 || (left === undefined && event === 'completed')
    if (known?.peerId === peerId) {
      if (seed || left !== undefined) swarms.setSeed(known, seed)
      known.seenAt = floor.beat()
      return known
    }
    if (swarms.find(infoHash, peerId) !== undefined) return 'the peer_id belongs to another socket'
    // A page that began anew on the same socket: its former client is gone.
    if (known !== undefined) leave(session, known)
    if (session.members.size >= floor.limits.maxTorrentsPerSocket || !session.mayJoin()) {
      return 'too many torrents'
    }
    const member = swarms.join(infoHash, { speaker: session, peerId, seed }, floor.beat())
    if (member === undefined) return 'the tracker is full'
    session.members.set(infoHash, member)
    session.joined(1)
    return member
  }

  function stop(session: Session, { infoHash, peerId, wire }: SocketAnnounce): void {
    const member = session.members.get(infoHash)
    if (member?.peerId === peerId) leave(session, member)
    else if (swarms.find(infoHash, peerId) !== undefined) {
      refuse(session, 'the peer_id belongs to another socket', wire)
      return
    }
    session.send(announceReply(wire, countsOf(infoHash), floor.intervalSeconds))
  }

  /** @returns false where the box would have been the first to ask, and had no time */
  function relay(member: Member<Session>, message: SocketAnnounce): boolean {
    const { offers, peerId, wire, wanted } = message
    let next = 0
    let boxHeard = true
    const first = offers[0]
    if (first !== undefined && wanted > 0 && desk.wants(member)) {
      boxHeard = desk.offer(member, first, wire)
      if (boxHeard) next = 1
    }
    if (wanted - next <= 0) return boxHeard
    const beat = floor.beat()
    for (const other of swarms.pick(member, wanted - next, beat)) {
      const offer = offers[next++]
      if (offer === undefined) break
      swarms.await(other, { from: peerId, offerId: offer.offerId }, beat)
      other.speaker.send(offerReply({ wire, peerId, ...offer }))
      counters.offers++
    }
    return boxHeard
  }

  function announce(session: Session, message: SocketAnnounce): void {
    counters.announces++
    const { infoHash, wire } = message
    if (!tracked.allowed(infoHash)) {
      const known = session.members.get(infoHash)
      if (known !== undefined) leave(session, known)
      refuse(session, 'this tracker does not know the torrent', wire)
      return
    }
    if (message.event === 'stopped') {
      stop(session, message)
      return
    }
    const member = take(session, message)
    if (typeof member === 'string') {
      refuse(session, member, wire)
      return
    }
    if (message.event === 'completed' && member.seed && !member.completed) {
      member.completed = true
      tracked.completed(infoHash)
    }
    const boxHeard = relay(member, message)
    const interval = boxHeard ? floor.intervalSeconds : floor.soonSeconds
    session.send(announceReply(wire, countsOf(infoHash), interval))
  }

  function answer(session: Session, message: SocketAnswer): void {
    const { infoHash, wire, peerId, toPeerId, offerId, sdp } = message
    const member = session.members.get(infoHash)
    const asked =
      member?.peerId === peerId && swarms.answers(member, { from: toPeerId, offerId }, floor.beat())
    const offerer = asked ? swarms.find(infoHash, toPeerId) : undefined
    if (offerer === undefined) {
      counters.unasked_answers++
      return
    }
    counters.answers++
    offerer.speaker.send(answerReply({ wire, peerId, offerId, sdp }))
  }

  function scrape(session: Session, { torrents }: SocketScrape): void {
    counters.scrapes++
    const known = torrents.filter(({ infoHash }) => tracked.allowed(infoHash))
    session.send(
      scrapeReply(
        known.map(({ infoHash, wire }) => ({
          wire,
          ...countsOf(infoHash),
          downloaded: tracked.addressPeers(infoHash).downloaded,
        })),
      ),
    )
  }

  return {
    /** @returns false where the message could not be read */
    hear(session: Session, text: string): boolean {
      const message = readSocketMessage(text)
      if (message.kind === 'refused') {
        counters.faults++
        session.send(failureReply(message))
        return false
      }
      session.spokeAt = floor.beat()
      switch (message.kind) {
        case 'announce':
          announce(session, message)
          break
        case 'answer':
          answer(session, message)
          break
        case 'scrape':
          scrape(session, message)
          break
      }
      return true
    },

    /** Members that did not announce themselves for so many beats. */
    expire(session: Session, beats: number): void {
      for (const member of session.members.values()) {
        if (floor.beat() - member.seenAt > beats) leave(session, member)
      }
    },

    left(session: Session): void {
      for (const member of session.members.values()) leave(session, member)
    },

    stats: () => ({ ...counters }),
  }
}

export type Conversation = ReturnType<typeof createConversation>
