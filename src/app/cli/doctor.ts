/** `btlinkd doctor`: what is wrong, worst first, and what to do; with --fix it does it. */
import type { DoctorView } from '../../edges/api/index.ts'
import { messageOf } from '../../base/errors.ts'
import {
  checks,
  type DoctorReport,
  fixes,
  type Result,
  summarize,
} from '../../services/doctor/index.ts'
import { doctorAtRest, readableConfig } from '../doctor/at-rest.ts'
import type { OpenDoctor } from '../doctor/open.ts'
import { isRunning } from '../run-folder.ts'
import { ask, Refused } from './admin-client.ts'
import { table } from './table.ts'
import { type Verb, type VerbInput, valueOf } from './verb.ts'

const WORDS = { failed: 'FAILED', warning: 'WARNING', unknown: 'unknown', ok: 'ok' } as const
const DEADLINE_MS = 120_000

interface Fixed {
  id: string
  done?: string
  failed?: string
}

/** What a person sees who never read a manual: the line, and what to do. */
function describe(report: DoctorReport): string {
  const width = Math.max(...report.results.map(({ id }) => id.length))
  const lines = report.results.flatMap(({ id, state, line, remedy, fix }) => [
    `${WORDS[state].padEnd(8)} ${id.padEnd(width)}  ${line}`,
    ...(remedy === undefined ? [] : [`         ${remedy}`]),
    ...(fix === undefined ? [] : [`         (\`btlinkd doctor --fix\` can help: ${fix})`]),
  ])
  const { failed, warnings, unknown, ok } = report
  const sum = `${failed} failed, ${warnings} warnings, ${ok} ok, ${unknown} unknown`
  return `${lines.join('\n')}\n\n${failed + warnings === 0 ? `all is well: ${sum}` : sum}`
}

function list(input: VerbInput): void {
  const rows = checks.map(({ id, asks, fix }) => [id, fix ?? '', asks])
  const mended = fixes.map(({ id, does }) => [id, does])
  input.print(
    `${table(['CHECK', 'FIX', `${checks.length} checks`], rows)}\n\n${table(['FIX', `${fixes.length} fixes`], mended)}`,
    {
      checks: checks.map(({ id, asks, severity, why, remedy, fix }) => ({
        id,
        asks,
        severity,
        why,
        remedy,
        ...(fix !== undefined && { fix }),
      })),
      fixes: fixes.map(({ id, does }) => ({ id, does })),
    },
  )
}

/** Of two answers the one that knows; from outside more is seen. */
function merge(outside: readonly Result[], inside: readonly Result[]): DoctorReport {
  const known = new Map(
    inside.filter(({ state }) => state !== 'unknown').map((one) => [one.id, one]),
  )
  return summarize(
    outside.map((one) => (one.state === 'unknown' ? (known.get(one.id) ?? one) : one)),
  )
}

async function lookEverywhere(
  doctor: OpenDoctor,
  stateDir: string,
  only: string[] | undefined,
): Promise<DoctorReport> {
  const outside = await doctor.report(only, AbortSignal.timeout(DEADLINE_MS))
  const open = outside.results.filter(({ state }) => state === 'unknown').map(({ id }) => id)
  if (open.length === 0 || !(await isRunning(stateDir))) return outside
  const path = `/api/doctor?only=${open.join(',')}`
  // A daemon that does not answer is told by other checks.
  const inside = await ask<DoctorView>(stateDir, 'GET', path).catch(() => undefined)
  return inside ? merge(outside.results, inside.results as Result[]) : outside
}

async function mend(
  doctor: OpenDoctor,
  stateDir: string,
  report: DoctorReport,
  tell: (line: string) => void,
) {
  const wanted = new Set(report.results.flatMap(({ fix }) => fix ?? []))
  const fixed: Fixed[] = []
  for (const { id, does, view } of fixes.filter((one) => wanted.has(one.id))) {
    tell(`${id}: ${does} …`)
    try {
      const isInside = view === 'daemon' && (await isRunning(stateDir))
      const { done } = isInside
        ? await ask<Required<Fixed>>(stateDir, 'POST', `/api/doctor/fix/${id}`)
        : await doctor.fix(id, AbortSignal.timeout(DEADLINE_MS))
      fixed.push({ id, done })
      tell(`  ${done}`)
    } catch (error) {
      fixed.push({ id, failed: messageOf(error) })
      tell(`  not done: ${messageOf(error)}`)
    }
  }
  return fixed
}

export const doctorVerb: Verb = {
  usage: ['doctor [--fix] [--only CHECK[,CHECK]]', 'doctor --list'],
  help: `Looks at disk, keys, network, clock, DNS, certificates and peers, with or without a running daemon,
and says what is wrong, worst first, and what to do. With --fix it does what it can: it says each time
what it is about to do, destroys nothing, and may be run again. Run as root it sees more. The exit code
is 1 where something failed. --list names the checks and fixes. See docs/doctor.md.`,
  options: {
    fix: { type: 'boolean' },
    list: { type: 'boolean' },
    only: { type: 'string' },
  },
  takes: [0, 0],
  async run(input) {
    const { flags } = input
    if (flags['list'] === true) {
      list(input)
      return
    }
    const only = valueOf(flags, 'only')
      ?.split(',')
      .filter((id) => id !== '')
    const where = { file: valueOf(flags, 'config'), stateDir: valueOf(flags, 'state') }
    const stateDir = (await readableConfig(where)).config.state_dir
    // Made anew after a fix: the configuration itself may be what was mended.
    const fresh = async () => doctorAtRest(await readableConfig(where))
    let doctor = await fresh()
    let report = await lookEverywhere(doctor, stateDir, only)
    let fixed: Fixed[] | undefined
    if (flags['fix'] === true) {
      const isQuiet = flags['json'] === true
      fixed = await mend(doctor, stateDir, report, (line) => {
        if (!isQuiet) process.stdout.write(`${line}\n`)
      })
      if (fixed.length > 0) {
        if (!isQuiet) process.stdout.write('\n')
        doctor = await fresh()
        report = await lookEverywhere(doctor, stateDir, only)
      }
    }
    await doctor.remember().catch(() => 0)
    input.print(describe(report), fixed ? { ...report, fixed } : report)
    if (report.failed > 0)
      throw new Refused(`${report.failed} of ${report.results.length} checks failed`)
  },
}
