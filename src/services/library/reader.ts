/** Reads one range of a file in order while it arrives, keeping the engine a little ahead. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ByteRange, TorrentEngine, Urgency } from '../../base/ports/torrent-engine.ts'
import { Stalled } from './errors.ts'
import type { OpenedTorrent } from './opened-torrent.ts'

const RETRY_MS = 250

export interface ReaderDeps {
  engine: Pick<TorrentEngine, 'want'>
  ensureAdded(): Promise<void>
}

export interface ReaderLimits {
  read_ahead: number
  stall_timeout: number
}

/** Asks for the range until it is verified or nobody wants it; an engine that restarts is asked again. */
async function keepWanting(
  deps: ReaderDeps,
  torrent: OpenedTorrent,
  wanted: { fileIndex: number; range: ByteRange; urgency: Urgency },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { infoHash } = torrent.metainfo
      await deps.engine.want(infoHash, wanted.fileIndex, wanted.range, wanted.urgency, signal)
      return
    } catch {
      if (signal.aborted) return
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
      await deps.ensureAdded().catch(() => {})
    }
  }
}

/** Resolves to false when nothing changed in time. */
async function changedWithin(
  torrent: OpenedTorrent,
  fileIndex: number,
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  const timer = new AbortController()
  const onAbort = () => timer.abort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const tooLate = sleep(ms, false, { signal: timer.signal }).catch(() => true)
    const changed = torrent
      .tracker(fileIndex)
      .changed()
      .then(() => true)
    return await Promise.race([changed, tooLate])
  } finally {
    timer.abort()
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Consecutive verified ranges that together are `range`.
 * @throws BTL_ERR_LIBRARY_STALLED when nothing arrives in time; the reason of `signal`
 */
export async function* readVerified(
  deps: ReaderDeps,
  limits: ReaderLimits,
  torrent: OpenedTorrent,
  wanted: { fileIndex: number; range: ByteRange; signal?: AbortSignal | undefined },
): AsyncGenerator<ByteRange> {
  const { fileIndex, range } = wanted
  const over = new AbortController()
  const signal = wanted.signal ? AbortSignal.any([wanted.signal, over.signal]) : over.signal
  const tracker = torrent.tracker(fileIndex)
  const window = limits.read_ahead / 2
  let askedTo = range.start

  function askAhead(at: number): void {
    while (askedTo < range.end && askedTo < at + limits.read_ahead) {
      const end = Math.min(range.end, askedTo + window)
      const urgency: Urgency = askedTo <= at ? 'now' : 'soon'
      void keepWanting(
        deps,
        torrent,
        { fileIndex, range: { start: askedTo, end }, urgency },
        signal,
      )
      askedTo = end
    }
  }

  let deadline = Date.now() + limits.stall_timeout
  tracker.hold()
  try {
    let at = range.start
    while (at < range.end) {
      wanted.signal?.throwIfAborted()
      const reach = torrent.isWhole(fileIndex) ? range.end : Math.min(tracker.reach(at), range.end)
      if (reach > at) {
        yield { start: at, end: reach }
        at = reach
        deadline = Date.now() + limits.stall_timeout
        continue
      }
      askAhead(at)
      const left = deadline - Date.now()
      if (left <= 0 || !(await changedWithin(torrent, fileIndex, left, signal))) {
        wanted.signal?.throwIfAborted()
        throw new Stalled(fileIndex, torrent.metainfo.infoHash, limits.stall_timeout / 1000)
      }
    }
  } finally {
    over.abort()
    tracker.release()
  }
}
