/**
 * Every seeded torrent in a few hundred bytes, whether it is in the swarm or not: what to announce,
 * what was given away, and whether a limit has ended its offer. Ten thousand of them cost less than
 * a hundred that are in the swarm.
 */
import type { InfoHash } from '../../../base/hashes.ts'
import type { StoreLayout } from '../../../base/layout.ts'
import type { Clock } from '../../../base/ports/clock.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { SwarmHints, TorrentStatus } from '../../../base/ports/torrent-engine.ts'
import type { SwarmConfig } from '../config.ts'
import type { Sought } from '../discovery/discovery.ts'
import {
  FIRST_SANE_MS,
  loadSeedMark,
  removeSeedMark,
  saveSeedMark,
  type SeedMark,
  torrentFolders,
} from './seed-mark.ts'

const LOADING_AT_ONCE = 16

export interface Seed extends Omit<SeedMark, 'hints'> {
  readonly infoHash: InfoHash
  trackers: readonly string[]
  limited: 'ratio' | 'time' | undefined
  /** Its counters went on since its mark was written. */
  unsaved: boolean
}

export interface SeedBook {
  readonly size: number
  get(infoHash: InfoHash): Seed | undefined
  all(): IterableIterator<Seed>
  /** As `get`; while the marks are still read, that of the torrent is read now. */
  find(infoHash: InfoHash): Promise<Seed | undefined>
  /** Reads all marks and calls back with each seed that is new. */
  load(each: (seed: Seed) => void, signal: AbortSignal): Promise<void>
  hints(infoHash: InfoHash): Promise<SwarmHints>
  /** Enters a seed, or changes what is known of it. */
  enter(infoHash: InfoHash, change: Partial<Omit<Seed, 'infoHash' | 'limited'>>): Seed
  /** Writes the mark. @param hints those of the last mark, where left out */
  save(seed: Seed, hints?: SwarmHints): Promise<void>
  /** Writes the marks of all whose counters went on; resolves when nothing is left to write. */
  saveChanged(): Promise<void>
  remove(infoHash: InfoHash): Promise<void>
  /** Looks whether a limit has come or gone; returns whether that changed. */
  judge(seed: Seed): boolean
}

/** What the announcer needs to know of it. */
export const soughtOf = (seed: Seed, isSeed = seed.wholeBytes !== undefined): Sought => ({
  infoHash: seed.infoHash,
  isPrivate: seed.isPrivate,
  trackers: seed.trackers,
  isSeed,
  isKept: true,
})

/** Of a seed that is not in memory otherwise; undefined where its pieces were not looked at yet. */
export function dormantStatus(seed: Seed): TorrentStatus | undefined {
  if (seed.wholeBytes === undefined) return undefined
  return {
    infoHash: seed.infoHash,
    verifiedBytes: seed.wholeBytes,
    totalBytes: seed.wholeBytes,
    complete: true,
    seeding: true,
    peers: 0,
    downloadedBytes: seed.downloaded,
    uploadedBytes: seed.uploaded,
    ...(seed.limited === undefined ? {} : { limited: seed.limited }),
  }
}

export function createSeedBook(
  { layout, log, clock }: { layout: StoreLayout; log: Log; clock: Clock },
  config: Pick<SwarmConfig, 'seed_ratio' | 'seed_time'>,
): SeedBook {
  const seeds = new Map<InfoHash, Seed>()
  /** Most seeds have the same trackers. */
  const lists = new Map<string, readonly string[]>()
  let loading: ((seed: Seed) => void) | undefined
  let writing: Promise<void> = Promise.resolve()

  function shared(trackers: readonly string[]): readonly string[] {
    const key = trackers.join('\n')
    const known = lists.get(key)
    if (known) return known
    if (lists.size > 1000) lists.clear()
    lists.set(key, trackers)
    return trackers
  }

  /** One after the other: two writers of one mark would lose it. */
  async function inTurn(work: () => Promise<void>): Promise<void> {
    const turn = writing.then(work)
    writing = turn.catch(() => {})
    await turn
  }

  /** Milliseconds; it begins anew where the clock was wrong as it began. */
  function ageOf(seed: Seed): number {
    const now = clock.now()
    if (seed.since >= FIRST_SANE_MS) return now - seed.since
    if (now >= FIRST_SANE_MS) {
      seed.since = now
      seed.unsaved = true
    }
    return 0
  }

  function limitOf(seed: Seed): Seed['limited'] {
    if (seed.own || seed.wholeBytes === undefined) return undefined
    const { seed_ratio: ratio, seed_time: time } = config
    if (ratio > 0 && seed.given >= ratio * seed.wholeBytes) return 'ratio'
    return time > 0 && ageOf(seed) >= time ? 'time' : undefined
  }

  async function loadOne(infoHash: InfoHash): Promise<Seed | undefined> {
    const mark = await loadSeedMark(layout, infoHash)
    const known = seeds.get(infoHash)
    if (known !== undefined || mark === undefined) return known
    const { hints, ...rest } = mark
    const trackers = shared(hints.trackers ?? [])
    const seed: Seed = { ...rest, infoHash, trackers, limited: undefined, unsaved: false }
    if (seed.since === 0) {
      seed.since = clock.now()
      seed.unsaved = true
    }
    seed.limited = limitOf(seed)
    seeds.set(infoHash, seed)
    loading?.(seed)
    return seed
  }

  async function write(seed: Seed, hints?: SwarmHints): Promise<void> {
    await inTurn(async () => {
      if (seeds.get(seed.infoHash) !== seed) return
      seed.unsaved = false
      try {
        const last = hints ?? (await loadSeedMark(layout, seed.infoHash))?.hints ?? {}
        await saveSeedMark(layout, seed.infoHash, { ...seed, hints: last })
      } catch (error) {
        seed.unsaved = true
        throw error
      }
    })
  }

  return {
    get size() {
      return seeds.size
    },
    get: (infoHash) => seeds.get(infoHash),
    all: () => seeds.values(),
    async find(infoHash) {
      const seed = seeds.get(infoHash)
      return seed === undefined && loading ? loadOne(infoHash) : seed
    },
    async load(each, signal) {
      seeds.clear()
      loading = each
      try {
        const folders = (await torrentFolders(layout)).values()
        const worker = async () => {
          for (const infoHash of folders) {
            if (signal.aborted) return
            await loadOne(infoHash)
          }
        }
        await Promise.all(Array.from({ length: LOADING_AT_ONCE }, worker))
      } finally {
        loading = undefined
      }
    },
    hints: async (infoHash) => (await loadSeedMark(layout, infoHash))?.hints ?? {},
    enter(infoHash, change) {
      const seed: Seed = seeds.get(infoHash) ?? {
        infoHash,
        announceDht: true,
        own: false,
        isPrivate: false,
        wholeBytes: undefined,
        since: clock.now(),
        downloaded: 0,
        uploaded: 0,
        given: 0,
        trackers: [],
        limited: undefined,
        unsaved: false,
      }
      Object.assign(seed, change)
      seed.trackers = shared(seed.trackers)
      seeds.set(infoHash, seed)
      return seed
    },
    save: write,
    async saveChanged() {
      for (const seed of Array.from(seeds.values())) {
        if (!seed.unsaved) continue
        try {
          await write(seed)
        } catch (error) {
          log.warn({ infoHash: seed.infoHash, err: error }, 'cannot note what a seed gave')
          return
        }
      }
      // Those that others began.
      await writing
    },
    async remove(infoHash) {
      seeds.delete(infoHash)
      await inTurn(async () => removeSeedMark(layout, infoHash))
    },
    judge(seed) {
      const now = limitOf(seed)
      if (now === seed.limited) return false
      seed.limited = now
      return true
    },
  }
}
