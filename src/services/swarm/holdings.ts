/**
 * What the box holds, known without asking: the tracker answers thousands of announces a second, and
 * the torrent engine lives in another process.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Component } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import type { TorrentEngine } from '../../base/ports/torrent-engine.ts'

const FIRST_LOOK_MS = 500
const LOOK_AGAIN_MS = 30_000
const RETRY_MS = 1000

export interface Holdings extends Component {
  /** The engine, watched: whoever changes what the box holds uses this form of it. */
  readonly engine: TorrentEngine
  /** From memory; undefined for a torrent that is neither here nor looked for. */
  holds(infoHash: InfoHash): 'whole' | 'part' | undefined
  /** TCP port of the engine as last heard; 0 where it does not listen. */
  peerPort(): number
}

export function createHoldings({ engine, log }: { engine: TorrentEngine; log: Log }): Holdings {
  const held = new Map<InfoHash, 'whole' | 'part'>()
  /** Looked for, by how many: nothing of it is here yet, but its peers are welcome. */
  const sought = new Map<InfoHash, number>()
  let stopping = new AbortController()
  let working: Promise<void> = Promise.resolve()
  let port = 0
  // A list that was asked before a change must not undo the change.
  let changes = 0

  async function look(): Promise<void> {
    const { port: bound, stats } = await engine.listening()
    port = bound
    let whole = 0
    for (const state of held.values()) if (state === 'whole') whole++
    if (stats['torrents'] === held.size && stats['whole'] === whole) return
    const before = changes
    const torrents = await engine.torrents()
    if (changes !== before) return
    held.clear()
    for (const { infoHash, complete } of torrents) held.set(infoHash, complete ? 'whole' : 'part')
  }

  async function refresh(infoHash: InfoHash): Promise<void> {
    changes++
    const status = await engine.status(infoHash)
    changes++
    if (status) held.set(infoHash, status.complete ? 'whole' : 'part')
    else held.delete(infoHash)
  }

  async function lookNowAndThen(signal: AbortSignal): Promise<void> {
    // Seeds of earlier runs are known to the engine a little after it listens.
    for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 2, LOOK_AGAIN_MS)) {
      await look()
      await sleep(wait, undefined, { signal, ref: false })
    }
  }

  async function follow(signal: AbortSignal): Promise<void> {
    for await (const infoHash of engine.completed(signal)) {
      changes++
      held.set(infoHash, 'whole')
    }
    throw new Error('it tells no more of completed torrents')
  }

  /** Until the role that runs the engine ends, or we do. */
  async function watch(signal: AbortSignal): Promise<void> {
    const ending = new AbortController()
    const either = AbortSignal.any([signal, ending.signal])
    try {
      await Promise.all([follow(either), lookNowAndThen(either)])
    } finally {
      ending.abort()
      held.clear()
      port = 0
    }
  }

  async function watchAgain(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await watch(signal)
      } catch (error) {
        if (!signal.aborted)
          log.debug({ reason: messageOf(error) }, 'the swarm role does not say what it holds')
        await sleep(RETRY_MS, undefined, { signal, ref: false }).catch(() => {})
      }
    }
  }

  const watched: TorrentEngine = {
    ...engine,
    async metainfo(infoHash, hints, signal) {
      sought.set(infoHash, (sought.get(infoHash) ?? 0) + 1)
      try {
        return await engine.metainfo(infoHash, hints, signal)
      } finally {
        const left = (sought.get(infoHash) ?? 1) - 1
        if (left > 0) sought.set(infoHash, left)
        else sought.delete(infoHash)
      }
    },
    async add(info, options) {
      const infoHash = await engine.add(info, options)
      await refresh(infoHash)
      return infoHash
    },
    async seed(infoHash, options) {
      await engine.seed(infoHash, options)
      await refresh(infoHash)
    },
    async drop(infoHash, options) {
      changes++
      held.delete(infoHash)
      await engine.drop(infoHash, options)
    },
  }

  return {
    name: 'holdings',
    engine: watched,
    holds: (infoHash) => held.get(infoHash) ?? (sought.has(infoHash) ? 'part' : undefined),
    peerPort: () => port,
    async start(signal) {
      signal.throwIfAborted()
      const ending = new AbortController()
      stopping = ending
      working = watchAgain(ending.signal)
    },
    async stop() {
      stopping.abort()
      await working
    },
    health: () => ({ status: 'ok', score: 100 }),
  }
}
