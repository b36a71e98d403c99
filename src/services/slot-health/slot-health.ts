/** Looks until this boot is well, or until it has had its time; the clock of the machine has no say. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, judge, type Judgement } from './verdict.ts'
import { unitFaults, type UnitState } from './units.ts'

export interface SlotHealthDeps {
  /** Ids that have to be active. */
  units: readonly string[]
  askUnits: (signal: AbortSignal) => Promise<UnitState[]>
  /** Everything else: none of them throws, and each is given up with the signal. */
  checks: readonly ((signal: AbortSignal) => Promise<Fault[]>)[]
  /** Milliseconds that only go forward. */
  steady: () => number
}

export interface SlotHealthConfig {
  timeoutMs: number
  /** Between two looks. */
  pauseMs: number
  /** How long it has to stay well. */
  settleMs: number
}

export interface SlotHealth {
  /** What was found in the end. */
  look(signal: AbortSignal): Promise<Judgement>
}

/** A look that hangs is a look that found something. */
const LOOK_TIMEOUT_MS = 20_000

export function createSlotHealth(deps: SlotHealthDeps, config: SlotHealthConfig): SlotHealth {
  const { units, askUnits, checks, steady } = deps

  async function once(before: UnitState[] | undefined, signal: AbortSignal) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)])
    const [states, ...found] = await Promise.all([
      askUnits(limit),
      ...checks.map((check) => check(limit)),
    ])
    return { states, faults: [...unitFaults(units, states, before), ...found.flat()] }
  }

  /** Settings do not change by waiting. */
  const isFinal = (faults: readonly Fault[]): boolean =>
    faults.some(({ check }) => check === 'settings')

  return {
    async look(signal) {
      const end = steady() + config.timeoutMs
      let well: { since: number; states: UnitState[] } | undefined
      for (;;) {
        const { states, faults } = await once(well?.states, signal)
        if (faults.every(({ isSurroundings }) => isSurroundings)) {
          well ??= { since: steady(), states }
          if (steady() - well.since >= config.settleMs) return judge(faults)
        } else well = undefined
        if (isFinal(faults)) return judge(faults)
        if (steady() >= end) {
          const early: Fault = {
            check: 'time',
            detail: 'it was not well for long enough',
            isSurroundings: false,
          }
          return judge(faults.length > 0 ? faults : [early])
        }
        await sleep(config.pauseMs, undefined, { signal })
      }
    },
  }
}
