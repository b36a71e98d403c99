/**
 * Keeps signed records in the DHT: puts until enough nodes hold one, and again every few hours.
 * Nodes forget items after two hours (BEP 44), and neighbours come and go.
 */
import { performance } from 'node:perf_hooks'
import { mutableTarget, nameKey } from '../../base/bep44.ts'
import { messageOf } from '../../base/errors.ts'
import type { PublicKey } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { DhtNode, PutOutcome } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import type { SiteVersion, Store } from '../../base/ports/store.ts'
import type { PublishConfig } from './config.ts'
import type { Records } from './records.ts'

export interface AnnouncerDeps {
  store: Store
  dht: Pick<DhtNode, 'getMutable' | 'putMutable'>
  records: Records
  clock: Clock
  log: Log
  /** The newest record of a tracked name, each time it was asked for; `isNew` where nobody knew it before. */
  onCurrent: (version: SiteVersion, isNew: boolean) => void
}

type AnnouncerConfig = Pick<
  PublishConfig,
  'republish_interval' | 'min_acks' | 'put_timeout' | 'put_gap'
>

interface Tracked {
  key: PublicKey
  salt: Uint8Array
  /** On the monotonic clock: a box without battery starts in 1970 and jumps. */
  dueAt: number
  failures: number
}

export interface Announcer {
  /** Puts the newest record now, again a few times while too few nodes took it. */
  announce(key: PublicKey, salt: Uint8Array, signal: AbortSignal): Promise<PutOutcome>
  /** Puts it again from now on; the first time within `withinMs`. */
  track(key: PublicKey, salt: Uint8Array, withinMs: number): void
  forget(key: PublicKey, salt: Uint8Array): void
  start(): void
  stop(): Promise<void>
  /** Names tracked, and how many of those too few nodes took at the last put. */
  state(): { tracked: number; thin: number; puts: number; acks: number }
}

const ATTEMPTS = 3
const FIRST_PAUSE_MS = 200
const MIN_RETRY_MS = 30_000
const MAX_RETRY_MS = 900_000
// BEP 44: the stored item has a higher seq.
const SEQ_TOO_LOW = 302

export function createAnnouncer(deps: AnnouncerDeps, config: AnnouncerConfig): Announcer {
  const { store, dht, records, clock, log } = deps
  const tracked = new Map<string, Tracked>()
  const stopping = new AbortController()
  const counts = { puts: 0, acks: 0 }
  let timer: NodeJS.Timeout | undefined
  let started = false
  let running: Promise<void> | undefined
  let lastPutAt = -Infinity

  const now = (): number => performance.now()
  const jittered = (ms: number): number => ms * (0.9 + 0.2 * Math.random())

  /** Small networks have fewer nodes than we would like: then all of them is enough. */
  const isEnough = ({ stored, asked }: PutOutcome): boolean =>
    stored >= config.min_acks || (stored > 0 && stored >= asked)

  async function put(version: SiteVersion, signal: AbortSignal): Promise<PutOutcome> {
    const { publicKey, salt, seq, value, signature } = version
    counts.puts++
    lastPutAt = now()
    try {
      const within = AbortSignal.any([signal, AbortSignal.timeout(config.put_timeout)])
      const item = { publicKey, salt, seq, value, signature }
      const outcome = await dht.putMutable(item, undefined, within)
      counts.acks += outcome.stored
      if (outcome.stored > 0) store.sites.confirmed(publicKey, salt, seq, clock.now())
      return outcome
    } catch (error) {
      signal.throwIfAborted()
      log.debug({ key: publicKey, seq, reason: messageOf(error) }, 'a put did not end')
      return { target: mutableTarget(publicKey, salt), asked: 0, stored: 0, errors: {} }
    }
  }

  function settle(key: PublicKey, salt: Uint8Array, outcome: PutOutcome): void {
    const entry = tracked.get(nameKey(key, salt))
    if (!entry) return
    entry.failures = isEnough(outcome) ? 0 : entry.failures + 1
    const retry = Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** (entry.failures - 1))
    const wait = entry.failures === 0 ? config.republish_interval : retry
    entry.dueAt = now() + jittered(Math.min(wait, config.republish_interval))
    schedule()
  }

  /** One turn of the loop: never an older record than the network has. */
  async function again({ key, salt }: Tracked, signal: AbortSignal): Promise<void> {
    const { newer } = await records.learn(key, salt, signal)
    const version = store.sites.latest(key, salt)
    if (!version) return forget(key, salt)
    deps.onCurrent(version, newer !== undefined)
    const outcome = await put(version, signal)
    if ((outcome.errors[SEQ_TOO_LOW] ?? 0) > 0) {
      const second = await records.learn(key, salt, signal)
      if (second.newer) deps.onCurrent(second.newer, true)
    }
    settle(key, salt, outcome)
  }

  function next(): Tracked | undefined {
    let first: Tracked | undefined
    for (const entry of tracked.values()) if (!first || entry.dueAt < first.dueAt) first = entry
    return first
  }

  function schedule(): void {
    clearTimeout(timer)
    const entry = next()
    if (!started || running || !entry) return
    const at = Math.max(entry.dueAt, lastPutAt + config.put_gap)
    timer = setTimeout(() => turn(entry), Math.max(0, at - now()))
    timer.unref()
  }

  function turn(entry: Tracked): void {
    running = again(entry, stopping.signal)
      .catch((error: unknown) => {
        if (stopping.signal.aborted) return
        log.warn({ key: entry.key, reason: messageOf(error) }, 'a record was not put again')
        entry.dueAt = now() + MIN_RETRY_MS
      })
      .finally(() => {
        running = undefined
        schedule()
      })
  }

  function forget(key: PublicKey, salt: Uint8Array): void {
    tracked.delete(nameKey(key, salt))
    schedule()
  }

  return {
    forget,
    async announce(key, salt, signal) {
      const within = AbortSignal.any([signal, stopping.signal])
      let best: PutOutcome | undefined
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const version = store.sites.latest(key, salt)
        if (!version) break
        if (attempt > 0) await pause(FIRST_PAUSE_MS * 5 ** (attempt - 1), within)
        const outcome = await put(version, within)
        if (!best || outcome.stored >= best.stored) best = outcome
        if (isEnough(outcome) || (outcome.errors[SEQ_TOO_LOW] ?? 0) > 0) break
      }
      best ??= { target: mutableTarget(key, salt), asked: 0, stored: 0, errors: {} }
      settle(key, salt, best)
      return best
    },
    track(key, salt, withinMs) {
      const name = nameKey(key, salt)
      const entry = tracked.get(name) ?? { key, salt, dueAt: Infinity, failures: 0 }
      entry.dueAt = Math.min(entry.dueAt, now() + Math.random() * withinMs)
      tracked.set(name, entry)
      schedule()
    },
    start() {
      started = true
      schedule()
    },
    async stop() {
      started = false
      clearTimeout(timer)
      stopping.abort()
      await running
    },
    state() {
      const thin = [...tracked.values()].filter(({ failures }) => failures > 0).length
      return { tracked: tracked.size, thin, ...counts }
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(wait)
      reject(signal.reason as Error)
    }
    const wait = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}
