/**
 * How much was asked of the authority, and what has to wait: kept on disk before each order, so that a
 * box that dies and starts again and again does not ask again and again.
 */
import { HOUR_MS, DAY_MS } from '../../base/sound-time.ts'

export interface Wait {
  failures: number
  /** Unix time in ms. */
  until: number
  reason: string
}

export interface Ledger {
  /** Why `name` must not be ordered now, or undefined. */
  wait(name: string, now: number): Wait | undefined
  /** Orders of content names within the last seven days. */
  spent(now: number): number
  /** An order begins; until it ends well it counts as one that failed. */
  begin(name: string, isContent: boolean, now: number): void
  done(name: string): void
  /** @param pauseMs that the authority asked for */
  fail(name: string, reason: string, now: number, pauseMs?: number): void
  /** It was given up before it could fail. */
  undo(name: string): void
  /** Nothing may be ordered for so long. */
  holdAll(reason: string, until: number): void
  write(): string
}

const WEEK_MS = 7 * DAY_MS
// Let's Encrypt allows five failed proofs an hour and host: 0, 5, 15, 35 and 75 minutes.
const FIRST_PAUSE_MS = HOUR_MS / 12
const LONGEST_PAUSE_MS = DAY_MS
const LONGEST_ASKED_PAUSE_MS = WEEK_MS
const MAX_ORDERS = 500
const MAX_WAITS = 1000
const MAX_REASON = 300
/** No host: all of them. */
const ALL = '*'

const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0

function read(text: string | undefined): { orders: number[]; waits: Map<string, Wait> } {
  const waits = new Map<string, Wait>()
  const orders: number[] = []
  try {
    const value = JSON.parse(text ?? '{}') as {
      orders?: unknown
      waits?: Record<string, Partial<Wait>>
    }
    if (Array.isArray(value.orders)) orders.push(...value.orders.filter(isNumber))
    const all = Object.entries(value.waits ?? {})
    for (const [name, { failures, until, reason }] of all.slice(0, MAX_WAITS)) {
      if (!isNumber(failures) || !isNumber(until) || typeof reason !== 'string') continue
      waits.set(name, { failures, until, reason: reason.slice(0, MAX_REASON) })
    }
  } catch {
    // Without it some orders may be made too early: the authority says so.
  }
  return { orders: orders.slice(-MAX_ORDERS), waits }
}

/** @param text as `write` gave it; anything else is an empty ledger */
export function createLedger(text: string | undefined): Ledger {
  const { orders, waits } = read(text)

  function current(name: string, now: number): Wait | undefined {
    const wait = waits.get(name)
    // One further ahead than any we make was written under a wrong clock.
    return wait && wait.until > now && wait.until <= now + LONGEST_ASKED_PAUSE_MS ? wait : undefined
  }

  function set(name: string, wait: Wait): void {
    waits.delete(name)
    // The one that was set longest ago goes first.
    if (waits.size >= MAX_WAITS) waits.delete(waits.keys().next().value ?? '')
    waits.set(name, wait)
  }

  const pauseAfter = (failures: number): number =>
    Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(20, failures - 1))

  return {
    wait: (name, now) => current(ALL, now) ?? current(name, now),
    // Times in the future are of a wrong clock.
    spent: (now) => orders.filter((at) => at > now - WEEK_MS && at <= now).length,
    begin(name, isContent, now) {
      if (isContent) {
        orders.push(now)
        if (orders.length > MAX_ORDERS) orders.shift()
      }
      const failures = (waits.get(name)?.failures ?? 0) + 1
      const reason = 'the order before was not brought to its end'
      set(name, { failures, until: now + pauseAfter(failures), reason })
    },
    done: (name) => void waits.delete(name),
    fail(name, reason, now, pauseMs = 0) {
      const failures = waits.get(name)?.failures ?? 1
      const pause = Math.max(pauseAfter(failures), Math.min(pauseMs, LONGEST_ASKED_PAUSE_MS))
      set(name, { failures, until: now + pause, reason: reason.slice(0, MAX_REASON) })
    },
    undo(name) {
      const wait = waits.get(name)
      if (wait === undefined || wait.failures <= 1) waits.delete(name)
      else set(name, { ...wait, failures: wait.failures - 1, until: 0 })
    },
    holdAll: (reason, until) =>
      set(ALL, { failures: 1, until, reason: reason.slice(0, MAX_REASON) }),
    write: () => JSON.stringify({ orders, waits: Object.fromEntries(waits) }),
  }
}
