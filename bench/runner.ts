/** What every bench shares: clean-up in reverse order, rows with a bar, an exit code. */
import { readFileSync } from 'node:fs'
import type { Cleanup } from '../test/support/temp.ts'

/** Puts a program on a core (util-linux). */
export const TASKSET = '/usr/bin/taskset'

export interface Row {
  what: string
  value: number
  unit: string
  /** The bar this number has to reach; without one it is only told. */
  atLeast?: number
  atMost?: number
}

export interface Bench extends Cleanup {
  /** Prints a number, and remembers whether it missed its bar. */
  report(row: Row): void
  /** Prints a line for people; nothing under `--json`. */
  say(text: string): void
}

const missed = ({ value, atLeast, atMost }: Row) =>
  (atLeast !== undefined && !(value >= atLeast)) || (atMost !== undefined && !(value <= atMost))

/** The middle of several runs. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}

/** The value that `share` (0 to 1) of all are at or below. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** Seconds of CPU, user and system, that a process has used. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Runs one bench; the process exits with 1 where a bar was missed or the bench failed. */
export async function bench(name: string, body: (bench: Bench) => Promise<void>): Promise<void> {
  const json = process.argv.includes('--json')
  const cleanups: (() => void | Promise<void>)[] = []
  let failed = false
  const say = (text: string) => {
    if (!json) console.log(text)
  }
  say(`== ${name}`)
  try {
    await body({
      after: (fn) => void cleanups.push(fn),
      say,
      report(row) {
        const bad = missed(row)
        failed ||= bad
        if (json) {
          console.log(JSON.stringify({ bench: name, ...row, passed: !bad }))
          return
        }
        const bar =
          row.atLeast !== undefined
            ? ` (bar: at least ${row.atLeast})`
            : row.atMost !== undefined
              ? ` (bar: at most ${row.atMost})`
              : ''
        const value = Number(row.value.toPrecision(4)).toString()
        console.log(`${bad ? 'MISSED ' : ''}${row.what}: ${value} ${row.unit}${bar}`)
      },
    })
  } catch (error) {
    failed = true
    console.error(error)
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
  process.exitCode = failed ? 1 : 0
}
