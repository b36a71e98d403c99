/** Brings torrents that are to stay (own sites, pins, uploads) on disk whole, adopts and seeds them. */
import { messageOf } from '../../base/errors.ts'
import type { InfoHash, PublicKey } from '../../base/hashes.ts'
import type { Library } from '../../base/ports/content.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Store } from '../../base/ports/store.ts'
import type { TorrentEngine } from '../../base/ports/torrent-engine.ts'

export interface KeeperDeps {
  store: Store
  engine: Pick<TorrentEngine, 'add' | 'want' | 'seed'>
  library: Pick<Library, 'open' | 'isLocal'>
  log: Log
}

export interface Keeper {
  /**
   * Works in the background until it is done or let go; again after failures. Idempotent.
   * @param own a name of this box points at it: seeding limits are for what others published
   */
  keep(infoHash: InfoHash, site?: { publicKey: PublicKey; salt: Uint8Array }, own?: boolean): void
  letGo(infoHash: InfoHash): void
  stop(): Promise<void>
  /** Torrents not whole yet. */
  pending(): number
}

interface Job {
  infoHash: InfoHash
  site: { publicKey: PublicKey; salt: Uint8Array } | undefined
  own: boolean
  controller: AbortController
  failures: number
  timer?: NodeJS.Timeout
}

const AT_ONCE = 2
const FILES_AT_ONCE = 4
const MIN_RETRY_MS = 500
const MAX_RETRY_MS = 900_000

export function createKeeper({ store, engine, library, log }: KeeperDeps): Keeper {
  const jobs = new Map<InfoHash, Job>()
  const waiting: Job[] = []
  const running = new Set<Promise<void>>()
  let stopped = false

  async function fetchAll({ infoHash, site, own, controller }: Job): Promise<void> {
    const { signal } = controller
    const { metainfo } = await library.open(infoHash, site ? { site } : {}, signal)
    const wanted = metainfo.files.filter((file) => !file.isPad && file.length > 0)
    if (wanted.every(({ index }) => library.isLocal(infoHash, index))) {
      // As after a restart; the library adds it too, but not before it is opened.
      await engine.add(metainfo.info, { verified: true })
    }
    const files = wanted.values()
    const workers = Array.from({ length: FILES_AT_ONCE }, async () => {
      for (const { index, length } of files) {
        signal.throwIfAborted()
        await engine.want(infoHash, index, { start: 0, end: length }, 'background', signal)
      }
    })
    await Promise.all(workers)
    await store.torrents.adopt(infoHash, signal)
    await engine.seed(infoHash, own ? { own } : {})
  }

  async function work(job: Job): Promise<void> {
    try {
      await fetchAll(job)
      jobs.delete(job.infoHash)
    } catch (error) {
      if (job.controller.signal.aborted) return
      const wait = Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** job.failures++)
      log.info({ infoHash: job.infoHash, reason: messageOf(error) }, 'not whole yet, trying again')
      job.timer = setTimeout(() => {
        waiting.push(job)
        pump()
      }, wait)
      job.timer.unref()
    }
  }

  function pump(): void {
    while (!stopped && running.size < AT_ONCE) {
      const job = waiting.shift()
      if (!job) return
      if (job.controller.signal.aborted) continue
      const done: Promise<void> = work(job).finally(() => {
        running.delete(done)
        pump()
      })
      running.add(done)
    }
  }

  function letGo(infoHash: InfoHash): void {
    const job = jobs.get(infoHash)
    if (!job) return
    job.controller.abort()
    clearTimeout(job.timer)
    jobs.delete(infoHash)
  }

  return {
    letGo,
    keep(infoHash, site, own = false) {
      if (stopped || jobs.has(infoHash)) return
      const job = { infoHash, site, own, controller: new AbortController(), failures: 0 }
      jobs.set(infoHash, job)
      waiting.push(job)
      pump()
    },
    async stop() {
      stopped = true
      for (const infoHash of jobs.keys()) letGo(infoHash)
      await Promise.allSettled(running)
    },
    pending: () => jobs.size,
  }
}
