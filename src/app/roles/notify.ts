/**
 * Tells systemd how the role is (sd_notify(3)). Node sends no Unix datagrams, but writes to what is
 * open: OpenFile= of systemd 253 passes a connected socket as the descriptor `notify`, and a message
 * is one write. An older systemd is told by the program systemd-notify, at some 10 ms each.
 */
import { execFile } from 'node:child_process'
import { write } from 'node:fs'
import { promisify } from 'node:util'

const writeTo = promisify(write)
const run = promisify(execFile)

const PROGRAM = 'systemd-notify'
const PROGRAM_MS = 5000
/** systemd reads 4096 bytes of a message (NOTIFY_BUFFER_MAX), and a status is one line. */
const MAX_STATUS = 300

export interface Notify {
  /** Silence for so long and systemd ends the role; undefined where it does not watch. */
  watchdogMs: number | undefined
  /** `READY=1` and the like, in one message. */
  send(...assignments: string[]): Promise<void>
}

/** `STATUS=` in one line, whatever it is made of. */
export const statusLine = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- those are what ends a line
  `STATUS=${text.replaceAll(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, MAX_STATUS)}`

/**
 * Reads the variables and removes them, since no child is meant by them. Undefined where nobody
 * listens.
 * @param fd a socket that is connected to systemd
 */
export function takeNotify(
  env: NodeJS.ProcessEnv,
  fd: number | undefined,
  pid = process.pid,
): Notify | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: period = '', WATCHDOG_PID: watched } = env
  delete env['NOTIFY_SOCKET']
  delete env['WATCHDOG_USEC']
  delete env['WATCHDOG_PID']
  if (socket === undefined || socket === '') return undefined
  // sd_watchdog_enabled(3): without a process id it is meant for all.
  const isWatched = /^[1-9]\d{0,15}$/.test(period) && (watched ?? String(pid)) === String(pid)
  let byWrite = fd

  return {
    watchdogMs: isWatched ? Number(period) / 1000 : undefined,
    async send(...assignments) {
      if (byWrite !== undefined) {
        try {
          await writeTo(byWrite, Buffer.from(`${assignments.join('\n')}\n`))
          return
        } catch {
          // systemd has another socket now.
          byWrite = undefined
        }
      }
      await run(PROGRAM, assignments, {
        env: { PATH: process.env['PATH'], NOTIFY_SOCKET: socket },
        timeout: PROGRAM_MS,
        killSignal: 'SIGKILL',
      })
    },
  }
}
