/** Web seeds of one torrent (BEP 19): plain HTTP servers asked for the pieces readers wait for. */
import type { Metainfo } from '../../../base/metainfo/metainfo.ts'
import type { Log } from '../../../base/ports/log.ts'
import type { PeerInfo } from '../../../base/ports/torrent-engine.ts'
import { TorrentBadReply } from '../errors.ts'
import { createGuardedHttp, type GuardedHttp } from '../trackers/guarded-http.ts'
import type { PieceMap } from './piece-map.ts'
import type { Scheduler, WebSource, WebTask } from './scheduler.ts'

const PARALLEL = 4
const MAX_SEEDS = 20
const TIMEOUT_MS = 30_000
const FIRST_PAUSE_MS = 2000
const LAST_PAUSE_MS = 10 * 60_000
const MAX_FAILURES = 12

export interface WebSeedsDeps {
  metainfo: Metainfo
  map: PieceMap
  log: Log
  scheduler: Pick<Scheduler, 'webTask'>
  isWanted: () => boolean
  /** Waits for the bandwidth that bytes of `host` need. */
  paced: (bytes: number, host: string, signal: AbortSignal) => Promise<void> | undefined
}

export interface WebSeeds {
  add(urls: readonly string[]): void
  urls(): string[]
  /** Takes on what is wanted; call when wants change and about once a second. */
  work(): void
  /** It sent bytes that are not the torrent's. */
  blame(source: WebSource): void
  peers(): PeerInfo[]
  stop(): void
}

interface Seed {
  source: WebSource
  running: number
  failures: number
  pausedUntil: number
  downloaded: number
}

/** BEP 19: the file's own URL, or below a folder the torrent's name and the file's path. */
export function webSeedUrl(base: string, metainfo: Metainfo, fileIndex: number): string {
  const { name, isSingleFile, files } = metainfo
  const folder = base.endsWith('/')
  if (isSingleFile) return folder ? base + encodeURIComponent(name) : base
  const path = [name, ...(files[fileIndex]?.path ?? [])].map(encodeURIComponent).join('/')
  return folder ? base + path : `${base}/${path}`
}

export function createWebSeeds(
  deps: WebSeedsDeps,
  options: { enabled: boolean; allowLocal: boolean },
): WebSeeds {
  const { metainfo, map, log, scheduler } = deps
  const seeds = new Map<string, Seed>()
  const stopping = new AbortController()
  let http: GuardedHttp | undefined

  async function fetchRange(url: string, start: number, length: number): Promise<Uint8Array> {
    http ??= createGuardedHttp(options.allowLocal)
    const headers = { range: `bytes=${start}-${start + length - 1}` }
    const accept = (status: number, given: Record<string, unknown>) =>
      status === 206 || (status === 200 && start === 0 && given['content-length'] === `${length}`)
    const { body } = await http.get(
      url,
      { headers, maxBytes: length, timeoutMs: TIMEOUT_MS, accept, paced: deps.paced },
      stopping.signal,
    )
    if (body.length !== length) throw new TorrentBadReply(url, 'another length than asked for')
    return body
  }

  async function run(url: string, seed: Seed, task: WebTask): Promise<void> {
    const bytes = new Uint8Array(task.length)
    seed.running++
    try {
      for (const slice of map.slices(task.piece, task.offset, task.length)) {
        if (metainfo.files[slice.fileIndex]?.isPad === true) continue
        const target = webSeedUrl(url, metainfo, slice.fileIndex)
        bytes.set(await fetchRange(target, slice.fileOffset, slice.length), slice.at)
      }
      seed.failures = 0
      seed.downloaded += bytes.length
      task.deliver(bytes)
    } catch (error) {
      seed.failures++
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** (seed.failures - 1), LAST_PAUSE_MS)
      seed.pausedUntil = performance.now() + pause
      if (!stopping.signal.aborted)
        log.debug({ infoHash: metainfo.infoHash, url, err: error }, 'a web seed failed')
      task.giveUp()
    } finally {
      seed.running--
      // Not from within: the next piece may be there already.
      queueMicrotask(work)
    }
  }

  function work(): void {
    if (!options.enabled || stopping.signal.aborted || !deps.isWanted()) return
    for (const [url, seed] of seeds) {
      while (
        seed.running < PARALLEL &&
        seed.failures < MAX_FAILURES &&
        performance.now() >= seed.pausedUntil
      ) {
        const task = scheduler.webTask(seed.source)
        if (task === undefined) break
        void run(url, seed, task)
      }
    }
  }

  return {
    add(urls) {
      for (const url of urls) {
        if (seeds.has(url) || seeds.size >= MAX_SEEDS) continue
        const source = { webSeed: url }
        seeds.set(url, { source, running: 0, failures: 0, pausedUntil: 0, downloaded: 0 })
      }
      work()
    },
    urls: () => [...seeds.keys()],
    work,
    blame(source) {
      const seed = seeds.get(source.webSeed)
      if (seed) seed.failures = MAX_FAILURES
      log.info(
        { infoHash: metainfo.infoHash, url: source.webSeed },
        'a web seed that sent bad pieces was left',
      )
    },
    peers: () =>
      [...seeds]
        .filter(([, seed]) => seed.downloaded > 0 || seed.running > 0)
        .map(([url, seed]) => ({
          address: url,
          kind: 'webseed',
          source: 'webseed',
          downloadedBytes: seed.downloaded,
          uploadedBytes: 0,
          downloadBytesPerSecond: 0,
          uploadBytesPerSecond: 0,
        })),
    stop() {
      stopping.abort()
      http?.close()
    },
  }
}
