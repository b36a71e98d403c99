/** Asks every check, a few at once, each within its time, and makes one report of what they found. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../base/errors.ts'
import { checks } from './checks.ts'
import type { Check, Finding, Fix, Severity, State } from './check.ts'
import type { DoctorConfig } from './config.ts'
import { NoCheck, NoFix } from './errors.ts'
import { fixes } from './fixes.ts'
import type { Ports } from './ports.ts'

export interface Result {
  id: string
  state: State
  line: string
  severity: Severity
  /** What to do; absent where all is well. */
  remedy?: string
  /** The id of a fix that can be asked for now. */
  fix?: string
}

export interface DoctorReport {
  /** Worst first. */
  results: Result[]
  failed: number
  warnings: number
  unknown: number
  ok: number
}

export interface FixReport {
  id: string
  /** What was done, in one line. */
  done: string
}

export interface Doctor {
  /** @throws NoCheck where one of `only` is none */
  report(only: readonly string[] | undefined, signal: AbortSignal): Promise<DoctorReport>
  /** @throws NoFix, CannotFix */
  fix(id: string, signal: AbortSignal): Promise<FixReport>
}

const WORST: readonly State[] = ['failed', 'warning', 'unknown', 'ok']
const WIDEST: readonly Severity[] = ['house', 'some', 'later']

const rank = ({ state, severity }: Result): number =>
  WORST.indexOf(state) * WIDEST.length + WIDEST.indexOf(severity)

export function summarize(results: readonly Result[]): DoctorReport {
  const count = (state: State) => results.filter((one) => one.state === state).length
  return {
    results: results.toSorted((a, b) => rank(a) - rank(b)),
    failed: count('failed'),
    warnings: count('warning'),
    unknown: count('unknown'),
    ok: count('ok'),
  }
}

async function lookWithin(check: Check, ports: Ports, ms: number, outer: AbortSignal) {
  const ended = new AbortController()
  const signal = AbortSignal.any([outer, ended.signal])
  const late: Promise<Finding> = sleep(ms, undefined, { signal, ref: true }).then(
    () => ({ state: 'unknown', line: `no answer within ${ms / 1000} s` }),
    () => ({ state: 'unknown', line: 'was not waited for' }),
  )
  try {
    return await Promise.race([check.look(ports, signal), late])
  } catch (error) {
    return { state: 'unknown', line: `cannot look: ${messageOf(error)}` } satisfies Finding
  } finally {
    ended.abort()
  }
}

function resultOf({ id, severity, remedy, fix }: Check, found: Finding): Result {
  const isWell = found.state === 'ok' || found.state === 'unknown'
  return {
    id,
    severity,
    state: found.state,
    line: found.line,
    ...(!isWell && { remedy: found.remedy ?? remedy }),
    ...(!isWell && fix !== undefined && { fix }),
  }
}

function chosen(only: readonly string[] | undefined): readonly Check[] {
  if (only === undefined) return checks
  const stranger = only.find((id) => !checks.some((check) => check.id === id))
  if (stranger !== undefined) throw new NoCheck(stranger.slice(0, 40))
  return checks.filter(({ id }) => only.includes(id))
}

/** @param ports made anew for each run, so that one run asks for nothing twice */
export function createDoctor(
  ports: () => Promise<Ports>,
  config: Pick<DoctorConfig, 'check_timeout' | 'at_once'>,
): Doctor {
  return {
    async report(only, signal) {
      const waiting = [...chosen(only)]
      const given = await ports()
      const results: Result[] = []
      async function work(): Promise<void> {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          signal.throwIfAborted()
          const found = await lookWithin(next, given, config.check_timeout, signal)
          results.push(resultOf(next, found))
        }
      }
      await Promise.all(Array.from({ length: config.at_once }, work))
      return summarize(results)
    },
    async fix(id, signal) {
      const found: Fix | undefined = fixes.find((one) => one.id === id)
      if (!found) throw new NoFix(id.slice(0, 40))
      return { id, done: await found.mend(await ports(), signal) }
    },
  }
}
