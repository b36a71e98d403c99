/** Orders one after the other: whoever wants the same certificate joins, and who failed waits. */
import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Log } from '../../base/ports/log.ts'
import { HOUR_MS, soundTime } from '../../base/sound-time.ts'
import { Problem } from './answers.ts'
import type { IssuedLeaf } from './chain.ts'
import type { Challenges } from './challenges.ts'
import { type Client, createClient } from './client.ts'
import type { AcmeConfig } from './config.ts'
import { BadSetting, Late } from './errors.ts'
import type { Wanted } from './hosts.ts'
import type { Ledger, Wait } from './ledger.ts'
import { obtain } from './order.ts'
import type { Shelf } from './shelf.ts'
import { createTransport, type Transport } from './transport.ts'

export interface OrdererDeps {
  log: Log
  clock: Clock
  shelf: Shelf
  ledger: Ledger
  challenges: Challenges
  onIssued: (wanted: Wanted, leaf: IssuedLeaf) => void
}

export interface Orderer {
  /** Puts it in the queue, unless it is there, has to wait, or would be one too many. */
  order(wanted: Wanted): void
  /** Why there is no order for it now, where there was one that failed. */
  wait(wanted: Wanted): Wait | undefined
  /** Resolves when the queue is empty. */
  idle(): Promise<void>
  stop(): Promise<void>
  stats(): { ordered: number; issued: number; failed: number; waiting: number; heldBack: number }
}

const MAX_QUEUE = 200

const problemOf = (error: unknown): Problem | undefined =>
  error instanceof Error && error.cause instanceof Problem ? error.cause : undefined

export function createOrderer(deps: OrdererDeps, config: AcmeConfig): Orderer {
  const { log, clock, shelf, ledger, challenges, onIssued } = deps
  const stopped = new AbortController()
  /** First come, first served; the one that is under way is in it to its end. */
  const queue = new Map<string, Wanted>()
  const counts = { ordered: 0, issued: 0, failed: 0, heldBack: 0 }
  let working: Promise<void> | undefined
  let desk: { transport: Transport; client: Client; key: KeyObject } | undefined

  async function open() {
    if (desk) return desk
    const ca = config.authority_ca === '' ? undefined : await readCa(config.authority_ca)
    const key = await shelf.accountKey()
    const transport = createTransport(config.directory, ca)
    desk = { transport, key, client: createClient({ transport, clock, key }, config) }
    return desk
  }

  function close(): void {
    desk?.transport.close()
    desk = undefined
  }

  async function obtainOnce({ hosts, name }: Wanted): Promise<IssuedLeaf> {
    const late = AbortSignal.timeout(config.order_timeout)
    const signal = AbortSignal.any([stopped.signal, late])
    try {
      const { client, key } = await open()
      const { challenge } = config
      return await obtain({ client, key, challenges, challenge, clock }, hosts, signal)
    } catch (error) {
      if (!late.aborted || stopped.signal.aborted) throw error
      throw new Late(name, config.order_timeout / 1000, { cause: error })
    }
  }

  async function obtainLeaf(wanted: Wanted): Promise<IssuedLeaf> {
    try {
      return await obtainOnce(wanted)
    } catch (error) {
      if (problemOf(error)?.type !== 'accountDoesNotExist') throw error
      // The authority forgot it, as test authorities do: with the same key it is made again.
      close()
      return obtainOnce(wanted)
    }
  }

  function noteFailure(wanted: Wanted, error: unknown): void {
    counts.failed++
    const now = clock.now()
    const reason = messageOf(error)
    const problem = problemOf(error)
    const pause = problem?.retryAfterMs ?? (problem?.type === 'rateLimited' ? HOUR_MS : undefined)
    ledger.fail(wanted.name, reason, now, pause)
    // Its limits count for the account and for the domain: others would only make it longer.
    if (pause !== undefined) ledger.holdAll(reason, now + pause)
    const until = ledger.wait(wanted.name, now)?.until ?? now
    log.warn(
      { hosts: wanted.hosts, code: codeOf(error), reason, again: new Date(until).toISOString() },
      'no certificate was issued',
    )
  }

  /** On a disk that is full it serves until the next start: another order would not make room. */
  async function keep(name: string, leaf: IssuedLeaf): Promise<void> {
    try {
      await shelf.save(name, leaf)
    } catch (error) {
      log.error({ name, reason: messageOf(error) }, 'a certificate cannot be kept')
    }
  }

  async function fill(wanted: Wanted): Promise<void> {
    const { name } = wanted
    ledger.begin(name, wanted.kind === 'content', clock.now())
    await shelf.saveLedger(ledger.write())
    counts.ordered++
    try {
      const leaf = await obtainLeaf(wanted)
      ledger.done(name)
      counts.issued++
      log.info({ hosts: leaf.hosts, until: new Date(leaf.notAfter).toISOString() }, 'certified')
      onIssued(wanted, leaf)
      await keep(name, leaf)
    } catch (error) {
      if (stopped.signal.aborted) ledger.undo(name)
      else noteFailure(wanted, error)
    }
    await shelf.saveLedger(ledger.write())
  }

  async function work(): Promise<void> {
    for (;;) {
      const wanted = queue.values().next().value
      if (!wanted || stopped.signal.aborted) break
      try {
        // It may have had to wait since it was put here.
        if (mayOrder(wanted)) await fill(wanted)
      } catch (error) {
        counts.failed++
        log.error({ hosts: wanted.hosts, reason: messageOf(error) }, 'no certificate was ordered')
        ledger.fail(wanted.name, messageOf(error), clock.now())
      }
      queue.delete(wanted.name)
    }
    close()
    working = undefined
  }

  function mayOrder({ name, kind }: Wanted): boolean {
    const { now, isSound } = soundTime(clock)
    if (!isSound || ledger.wait(name, now) !== undefined) return false
    if (kind === 'configured' || ledger.spent(now) < config.content_names_per_week) return true
    counts.heldBack++
    return false
  }

  return {
    order(wanted) {
      if (stopped.signal.aborted || queue.has(wanted.name) || queue.size >= MAX_QUEUE) return
      if (!mayOrder(wanted)) return
      queue.set(wanted.name, wanted)
      working ??= work()
    },
    wait: ({ name }) => ledger.wait(name, clock.now()),
    idle: async () => working,
    async stop() {
      stopped.abort()
      await working
      queue.clear()
      close()
    },
    stats: () => ({ ...counts, waiting: queue.size }),
  }
}

async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new BadSetting('authority_ca', path, messageOf(error), { cause: error })
  }
}
