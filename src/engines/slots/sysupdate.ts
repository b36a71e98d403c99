/** Runs systemd-sysupdate (systemd 257) and reads what it prints. */
import { execFile } from 'node:child_process'
import { messageOf } from '../../base/errors.ts'

const MAX_OUTPUT = 1024 * 1024
const LIST_MS = 60_000
// Half a gigabyte onto a slow card.
const INSTALL_MS = 45 * 60_000

export interface Listed {
  version: string
  isInstalled: boolean
  isIncomplete: boolean
}

export class SysupdateFailed extends Error {}

/** The last thing it said, which is what went wrong. */
const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.slice(0, 300) ?? ''

async function run(
  [program, ...given]: readonly [string, ...string[]],
  args: readonly string[],
  timeout: number,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout, signal, maxBuffer: MAX_OUTPUT, env: { ...process.env, LC_ALL: 'C' } }
    execFile(program, [...given, ...args], options, (error, stdout, stderr) => {
      if (!error) resolve(stdout)
      else if (signal.aborted) reject(error)
      else {
        reject(new SysupdateFailed(lastLine(stderr) || messageOf(error), { cause: error }))
      }
    })
  })
}

/** `list --json=short` prints a line of JSON; nothing at all where there is nothing. */
function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new SysupdateFailed('systemd-sysupdate printed no JSON')
}

export interface Sysupdate {
  /** Versions of slots and of the folder with updates, newest first. */
  versions(signal: AbortSignal): Promise<string[]>
  look(version: string, signal: AbortSignal): Promise<Listed>
  update(version: string, signal: AbortSignal): Promise<void>
}

/** @param command the program, and what is said before every verb */
export function createSysupdate(command: readonly [string, ...string[]]): Sysupdate {
  return {
    async versions(signal) {
      const { all } = parse(
        await run(command, ['--json=short', '--offline', 'list'], LIST_MS, signal),
      )
      return Array.isArray(all) ? all.filter((one): one is string => typeof one === 'string') : []
    },
    async look(version, signal) {
      const args = ['--json=short', '--offline', 'list', version]
      const { installed, incomplete } = parse(await run(command, args, LIST_MS, signal))
      return { version, isInstalled: installed === true, isIncomplete: incomplete === true }
    },
    async update(version, signal) {
      await run(command, ['--verify=no', 'update', version], INSTALL_MS, signal)
    },
  }
}
