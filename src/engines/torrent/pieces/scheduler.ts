/** Keeps every peer of a torrent busy with the blocks readers wait for, and judges what comes back. */
import type Wire from 'bittorrent-protocol'
import type { Metainfo } from '../../../base/metainfo/metainfo.ts'
import { BLOCK_BYTES, type PartialPiece } from './partial-piece.ts'
import { isGoodPiece } from './piece-hash.ts'
import type { PieceMap } from './piece-map.ts'
import { createPiecePicker } from './piece-picker.ts'
import type { PieceSet } from './piece-set.ts'
import type { Wants } from './wants.ts'

// Two or three blocks, as webtorrent starts with, would cost a round trip for every 32 KiB.
const MIN_PIPELINE = 32
const MAX_PIPELINE = 500
// libtorrent and others serve 250 or more; who says nothing gets what every client bears.
const DEFAULT_REQQ = 250
const STUCK_MS = 1500
const MAX_ASKED_AT_ONCE = 2

/** A peer, or one request of a web seed. */
export type Source = Wire | WebSource
export interface WebSource {
  readonly webSeed: string
}
export const isWebSource = (source: Source): source is WebSource => 'webSeed' in source

/** A run of blocks of one piece, for a web seed. */
export interface WebTask {
  piece: number
  offset: number
  length: number
  deliver(bytes: Uint8Array): void
  giveUp(): void
}

export interface SchedulerDeps {
  metainfo: Metainfo
  map: PieceMap
  have: PieceSet
  wants: Wants
  wires: () => readonly Wire[]
  /** Still to be hashed from disk. */
  isDoubtful: (piece: number) => boolean
  write: (piece: number, bytes: Uint8Array) => Promise<void>
  verified: (piece: number) => void
  diskFailed: (error: unknown) => void
  /** Everything of a bad piece came from this source, or it was among the senders again and again. */
  blame: (source: Source) => void
}

export interface Scheduler {
  fill(wire: Wire): void
  fillAll(): void
  updateInterest(wire: Wire): void
  /** Takes back requests nobody waits for, and those that stand before something more urgent. */
  wantsChanged(urgent: boolean): void
  /** Asks a second peer for what a reader waits for too long. Call about once a second. */
  rescue(): void
  webTask(source: WebSource): WebTask | undefined
  /** Bytes of pieces on their way. */
  pending(): number
}

export function createScheduler(deps: SchedulerDeps): Scheduler {
  const { metainfo, map, have, wants } = deps
  const settling = new Set<number>()
  const strikes = new WeakMap<Source, number>()
  const isBusy = (piece: number) => settling.has(piece) || deps.isDoubtful(piece)
  const picker = createPiecePicker<Source>({
    map,
    have,
    wants,
    isBusy,
    copies: (piece) => deps.wires().filter((wire) => wire.peerPieces.get(piece)).length,
    isSame: (a, b) => a === b || (isWebSource(a) && isWebSource(b) && a.webSeed === b.webSeed),
  })

  const offersOf = (wire: Wire) => (piece: number) =>
    wire.peerPieces.get(piece) && (!wire.peerChoking || wire.peerAllowedFastSet.includes(piece))

  function depth(wire: Wire): number {
    const { reqq } = wire.peerExtendedHandshake
    const bearable = typeof reqq === 'number' && reqq > 0 ? reqq : DEFAULT_REQQ
    const bySpeed = 2 + Math.ceil(wire.downloadSpeed() / BLOCK_BYTES)
    return Math.min(Math.max(MIN_PIPELINE, bySpeed), bearable, MAX_PIPELINE)
  }

  async function settle(partial: PartialPiece<Source>): Promise<void> {
    const { index, bytes } = partial
    settling.add(index)
    picker.remove(index)
    try {
      if (!(await isGoodPiece(metainfo, index, bytes))) {
        judge(partial)
        return
      }
      await deps.write(index, bytes)
      have.add(index)
    } catch (error) {
      deps.diskFailed(error)
      return
    } finally {
      settling.delete(index)
    }
    deps.verified(index)
    fillAll()
  }

  function judge(partial: PartialPiece<Source>): void {
    const senders = [...partial.senders()]
    if (senders.length > 1) picker.askOnlyOne(partial.index)
    for (const source of senders) {
      const count = (strikes.get(source) ?? 0) + 1
      strikes.set(source, count)
      // Among several one is to blame and the others are not; three times is no accident.
      if (senders.length === 1 || count >= 3) deps.blame(source)
    }
    queueMicrotask(fillAll)
  }

  function received(
    partial: PartialPiece<Source>,
    block: number,
    source: Source,
    bytes: Uint8Array,
  ) {
    const others = partial.put(block, source, bytes)
    if (others === undefined) return
    for (const { source: other } of others) {
      if (!isWebSource(other))
        other.cancel(partial.index, block * BLOCK_BYTES, partial.blockLength(block))
    }
    if (partial.complete) void settle(partial)
  }

  /** Returns whether the request is on its way; a wire that is closing refuses at once. */
  function ask(wire: Wire, partial: PartialPiece<Source>, block: number): boolean {
    const before = wire.requests.length
    partial.ask(block, wire, performance.now())
    const length = partial.blockLength(block)
    wire.request(partial.index, block * BLOCK_BYTES, length, (error, bytes) => {
      if (error || bytes === undefined) {
        partial.release(block, wire)
        if (partial.untouched && picker.partials.get(partial.index) === partial)
          picker.remove(partial.index)
        // Not asked again at once: a peer that rejects everything would keep us busy.
        return
      }
      received(partial, block, wire, bytes)
      fill(wire)
    })
    return wire.requests.length > before
  }

  /** The readers' pieces are all asked for: a second request for the slowest may end it sooner. */
  function double(wire: Wire, olderThanMs: number): boolean {
    const offers = offersOf(wire)
    const before = performance.now() - olderThanMs
    for (const want of wants.list()) {
      for (const partial of picker.partials.values()) {
        if (partial.index < want.next || partial.index > want.last || !offers(partial.index))
          continue
        if (partial.only !== undefined) continue
        for (let block = 0; block < partial.blocks; block++) {
          const asked = partial.asked(block)
          if (asked.length === 0 || asked.length >= MAX_ASKED_AT_ONCE) continue
          if (asked.some((one) => one.source === wire || one.at > before)) continue
          return ask(wire, partial, block)
        }
      }
    }
    return false
  }

  function fill(wire: Wire): void {
    if (wire.destroyed || wants.size === 0) return
    if (wire.peerChoking && wire.peerAllowedFastSet.length === 0) return
    const most = depth(wire)
    // Topped up in groups: a packet a request would be all overhead.
    if (wire.requests.length > most * 0.75) return
    const offers = offersOf(wire)
    while (wire.requests.length < most) {
      const partial = picker.pick(wire, offers)
      if (partial === undefined) break
      for (
        let block = partial.free();
        block >= 0 && wire.requests.length < most;
        block = partial.free()
      ) {
        if (!ask(wire, partial, block)) return
      }
    }
    while (wire.requests.length < 2 && double(wire, 0)) {
      // One spare request at a time keeps the waste small.
    }
  }

  function fillAll(): void {
    for (const wire of deps.wires().slice()) fill(wire)
  }

  function updateInterest(wire: Wire): void {
    const useful = wants.size > 0 && picker.isUseful((piece) => wire.peerPieces.get(piece))
    if (useful) wire.interested()
    else if (wire.requests.length === 0) wire.uninterested()
  }

  return {
    fill,
    fillAll,
    updateInterest,
    wantsChanged(urgent) {
      const first = wants.list()[0]
      for (const wire of deps.wires().slice()) {
        const behind = (piece: number) =>
          urgent &&
          first !== undefined &&
          wire.requests.length >= MIN_PIPELINE / 2 &&
          (piece < first.next || piece > first.last) &&
          wire.peerPieces.get(first.next)
        for (const { piece, offset, length } of wire.requests.slice()) {
          if (!wants.includes(piece) || behind(piece)) wire.cancel(piece, offset, length)
        }
      }
      for (const partial of Array.from(picker.partials.values())) {
        if (partial.untouched) picker.remove(partial.index)
      }
      for (const wire of deps.wires().slice()) updateInterest(wire)
      fillAll()
    },
    rescue() {
      if (wants.list()[0]?.urgency !== 'now') return
      for (const wire of deps.wires().slice()) {
        if (wire.peerChoking || wire.requests.length >= depth(wire)) continue
        for (let extra = 0; extra < 4 && double(wire, STUCK_MS); extra++) {
          // A few blocks a second: enough to get past one stuck peer.
        }
      }
    },
    webTask(source) {
      const partial = picker.pick(source, () => true)
      const first = partial?.free() ?? -1
      if (partial === undefined || first < 0) return undefined
      const blocks: number[] = []
      let length = 0
      for (let block = first; block === partial.free() && block >= 0; block++) {
        partial.ask(block, source, performance.now())
        blocks.push(block)
        length += partial.blockLength(block)
      }
      return {
        piece: partial.index,
        offset: first * BLOCK_BYTES,
        length,
        deliver(bytes) {
          let at = 0
          for (const block of blocks) {
            const size = partial.blockLength(block)
            received(partial, block, source, bytes.subarray(at, at + size))
            at += size
          }
          fillAll()
        },
        giveUp() {
          for (const block of blocks) partial.release(block, source)
          if (partial.untouched && picker.partials.get(partial.index) === partial)
            picker.remove(partial.index)
          fillAll()
        },
      }
    },
    pending: () => picker.partials.size,
  }
}
