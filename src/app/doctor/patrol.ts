/**
 * The doctor in the daemon: asked over the API, and now and then by itself. It is loaded with the first
 * question, so that a daemon which nobody asks does not carry it.
 */
import { messageOf } from '../../base/errors.ts'
import type { Component, Stats } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'
import type { DatabaseCare, DoctorReport, FixReport } from '../../services/doctor/index.ts'
import type { Config } from '../config/schema.ts'
import { configFileOf } from './facts.ts'
import type { OpenDoctor } from './open.ts'

export interface Patrol extends Component {
  report(only: readonly string[] | undefined, signal: AbortSignal): Promise<DoctorReport>
  fix(id: string, signal: AbortSignal): Promise<FixReport>
  /** Of the last whole look; none before that. */
  stats(): Stats
}

/** A start has better things to do, and what it begins has to settle. */
const FIRST_LOOK_MS = 15 * 60_000
const MAX_TIMER_MS = 2 ** 31 - 1

export function createPatrol(
  { log, database }: { log: Log; database: DatabaseCare },
  config: Config,
): Patrol {
  const stopping = new AbortController()
  let doctor: Promise<OpenDoctor> | undefined
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let last: DoctorReport | undefined

  const opened = (): Promise<OpenDoctor> =>
    (doctor ??= import('./open.ts').then(({ openDoctor }) =>
      openDoctor({
        config,
        database,
        source: {
          file: configFileOf(process.argv, process.env),
          // It runs, so they were none when it started.
          mistakes: [],
          isValidConfig: async () => false,
        },
      }),
    ))

  /** Only what became worse: the same line every few hours would be read by nobody. */
  function tell(report: DoctorReport): void {
    const before = new Map(last?.results.map(({ id, state }) => [id, state]))
    for (const { id, state, line } of report.results) {
      if (before.get(id) === state) continue
      if (state === 'failed') log.error({ check: id, line }, 'the doctor found a fault')
      else if (state === 'warning') log.warn({ check: id, line }, 'the doctor has a warning')
    }
  }

  async function report(only: readonly string[] | undefined, signal: AbortSignal) {
    const found = await (await opened()).report(only, AbortSignal.any([signal, stopping.signal]))
    if (only === undefined) last = found
    return found
  }

  async function look(): Promise<void> {
    try {
      await (await opened()).remember()
      const found = await (await opened()).report(undefined, stopping.signal)
      tell(found)
      last = found
    } catch (error) {
      if (!stopping.signal.aborted)
        log.warn({ reason: messageOf(error) }, 'the doctor could not look')
    }
  }

  function lookAfter(ms: number): void {
    timer = setTimeout(
      () => {
        running = look().finally(() => {
          running = undefined
          if (!stopping.signal.aborted) lookAfter(config.doctor.every)
        })
      },
      Math.min(ms, MAX_TIMER_MS),
    )
    timer.unref()
  }

  return {
    name: 'doctor',
    async start() {
      if (config.doctor.every > 0) lookAfter(Math.min(FIRST_LOOK_MS, config.doctor.every))
    },
    async stop() {
      clearTimeout(timer)
      stopping.abort()
      await running
    },
    health: () => ({ status: 'ok', score: 100 }),
    report,
    async fix(id, signal) {
      const done = await (await opened()).fix(id, AbortSignal.any([signal, stopping.signal]))
      log.info({ fix: id, done: done.done }, 'the doctor mended something')
      return done
    },
    stats: (): Stats =>
      last
        ? { failed: last.failed, warnings: last.warnings, unknown: last.unknown, ok: last.ok }
        : {},
  }
}
