/** The way into the network: nodes of the last run, named nodes again and again until one answers. */
import { lookup as resolve } from 'node:dns/promises'
import { isIP } from 'node:net'
import { messageOf } from '../../base/errors.ts'
import type { PeerAddress } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import { canonicalHost, familyOf, isUsable, parseHostPort } from './address.ts'
import type { FamilyNode } from './family-node.ts'
import type { Contact } from './krpc.ts'
import { idInBucket, type RandomBytes } from './node-id.ts'

/** Resolves a name to address literals. */
export type ResolveHost = (name: string) => Promise<string[]>

const resolveHost: ResolveHost = async (name) =>
  (await resolve(name, { all: true })).map((entry) => entry.address)

const MAX_RETRY_MS = 5 * 60_000
const RESOLVE_TIMEOUT_MS = 5000
const MAX_SAVED_ASKED = 24
/** A table this small is no network: it is sought again. */
const ENOUGH_NODES = 4
const EXPLORED_BUCKETS = 4

export interface BootstrapDeps {
  log: Log
  families: readonly FamilyNode[]
  named: readonly string[]
  saved: readonly Contact[]
  allowLocal: boolean
  random: RandomBytes
  /** Wait before the first retry; doubles up to five minutes. */
  retryMs: number
  resolveHost?: ResolveHost
}

export function createBootstrap(deps: BootstrapDeps) {
  const { families } = deps
  const stopping = new AbortController()
  let retryMs = deps.retryMs
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  const waiting = new Set<() => void>()

  async function addressesOf(written: string): Promise<PeerAddress[]> {
    const parsed = parseHostPort(written)
    if (!parsed) return []
    const { host, port } = parsed
    if (isIP(host) !== 0) return [{ host, port }]
    const late = Promise.withResolvers<string[]>()
    const giveUp = (): void => late.resolve([])
    const timeout = setTimeout(giveUp, RESOLVE_TIMEOUT_MS)
    stopping.signal.addEventListener('abort', giveUp)
    try {
      const hosts = await Promise.race([(deps.resolveHost ?? resolveHost)(host), late.promise])
      return hosts.slice(0, 4).map((address) => ({ host: address, port }))
    } catch (error) {
      deps.log.debug({ name: host, error: messageOf(error) }, 'a bootstrap name does not resolve')
      return []
    } finally {
      clearTimeout(timeout)
      stopping.signal.removeEventListener('abort', giveUp)
    }
  }

  async function seeds(): Promise<PeerAddress[]> {
    const named = (await Promise.all(deps.named.map(addressesOf))).flat().flatMap((address) => {
      const host = canonicalHost(address.host)
      return host ? [{ host, port: address.port }] : []
    })
    // Saved nodes go without their ids: whoever lives there now is welcome.
    const saved = deps.saved.slice(0, MAX_SAVED_ASKED).map(({ host, port }) => ({ host, port }))
    return [...named, ...saved].filter((seed) => isUsable(seed, deps.allowLocal))
  }

  /** Finds its own neighbourhood, beginning at `extra`. */
  async function seek(family: FamilyNode, extra: PeerAddress[]): Promise<void> {
    const target = family.id()
    const question = { method: 'find_node', target } as const
    await family.lookup(
      {
        target,
        question,
        width: 8,
        priority: 'now',
        extra,
        onAnswer: () => {
          wake()
          return false
        },
        stillWanting: () => family.table().size() === 0,
      },
      stopping.signal,
    )
  }

  /** Own neighbours answer for a corner only; these lookups fill the wide buckets. */
  async function explore(family: FamilyNode): Promise<void> {
    for (let bits = 0; bits < EXPLORED_BUCKETS && family.table().size() > 0; bits++) {
      const target = idInBucket(family.id(), bits, deps.random)
      const question = { method: 'find_node', target } as const
      const part = { target, question, width: 8, stillWanting: () => false } as const
      await family.lookup({ ...part, priority: 'background' }, stopping.signal)
    }
  }

  const nodes = (): number => families.reduce((sum, family) => sum + family.table().size(), 0)

  function wake(): void {
    for (const done of waiting) done()
    waiting.clear()
  }

  async function round(): Promise<void> {
    const all = await seeds()
    await Promise.all(
      families.map((family) =>
        seek(
          family,
          all.filter((seed) => familyOf(seed.host) === family.family),
        ),
      ),
    )
    wake()
    if (stopping.signal.aborted) return
    await Promise.all(families.map(explore))
    if (nodes() >= ENOUGH_NODES) {
      retryMs = deps.retryMs
      return
    }
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      void run()
    }, retryMs)
    retryMs = Math.min(MAX_RETRY_MS, retryMs * 2)
  }

  async function run(): Promise<void> {
    running ??= round().finally(() => {
      running = undefined
    })
    return running
  }

  return {
    run,
    /** Looks for nodes again when hardly any is left. */
    review(): void {
      if (nodes() < ENOUGH_NODES && !timer && !stopping.signal.aborted) void run()
    },
    /** Resolves with the first node, or after `waitMs`; at once when there are nodes. */
    async ready(waitMs: number, signal?: AbortSignal): Promise<void> {
      if (nodes() > 0 || !running || signal?.aborted) return
      await new Promise<void>((done) => {
        const over = (): void => {
          clearTimeout(limit)
          waiting.delete(over)
          signal?.removeEventListener('abort', over)
          done()
        }
        const limit = setTimeout(over, waitMs)
        waiting.add(over)
        signal?.addEventListener('abort', over, { once: true })
      })
    },
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      wake()
      await running
    },
  }
}

export type Bootstrap = ReturnType<typeof createBootstrap>
