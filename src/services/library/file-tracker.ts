/**
 * Follows which bytes of one file are verified. It outlives restarts of the engine: when the stream
 * of events breaks, the torrent is added again and the stream reopened.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createByteRanges } from '../../base/byte-ranges.ts'
import { messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'
import type { ByteRange, TorrentEngine } from '../../base/ports/torrent-engine.ts'

const RETRY_MS = 250

export interface FileTracker {
  reach(at: number): number
  covers(range: ByteRange): boolean
  /** Resolves at the next change; never rejects. */
  changed(): Promise<void>
  /** Follows while held at least once. */
  hold(): void
  release(): void
}

export interface FileTrackerDeps {
  engine: Pick<TorrentEngine, 'verified'>
  /** Makes sure the engine has the torrent. */
  ensureAdded(): Promise<void>
  log: Log
}

export function createFileTracker(
  deps: FileTrackerDeps,
  infoHash: InfoHash,
  fileIndex: number,
): FileTracker {
  const ranges = createByteRanges()
  let holders = 0
  let following: AbortController | undefined
  let change = Promise.withResolvers<void>()

  function announce(): void {
    change.resolve()
    change = Promise.withResolvers()
  }

  async function follow(signal: AbortSignal): Promise<void> {
    await deps.ensureAdded()
    let isFirst = true
    for await (const batch of deps.engine.verified(infoHash, fileIndex, signal)) {
      // The first batch is the whole truth: bytes found rotten since are missing from it.
      if (isFirst) ranges.clear()
      isFirst = false
      for (const range of batch) ranges.add(range)
      announce()
    }
  }

  async function keepFollowing(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await follow(signal)
      } catch (error) {
        if (signal.aborted) return
        deps.log.debug(
          { infoHash, fileIndex, error: messageOf(error) },
          'reopening the stream of verified ranges',
        )
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
    }
  }

  return {
    reach: (at) => ranges.reach(at),
    covers: (range) => ranges.covers(range),
    changed: () => change.promise,
    hold() {
      holders++
      if (following) return
      following = new AbortController()
      void keepFollowing(following.signal)
    },
    release() {
      holders--
      if (holders > 0) return
      following?.abort()
      following = undefined
    },
  }
}
