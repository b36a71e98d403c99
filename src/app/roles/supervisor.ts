/**
 * Keeps the roles running as child processes: restarts what dies, stops all in order, leaves nothing
 * behind. It imports next to nothing, because it stays in memory for as long as the box runs.
 */
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../base/ports/log.ts'

/** What a role tells its supervisor over the IPC channel once its sockets are bound. */
export interface ReadyMessage {
  ready: true
  /** Lines for the person who started the daemon by hand. */
  banner?: string
}

export interface SupervisorDeps {
  /** @param isRestart the role ran before: it should come back on the ports it had */
  spawn(role: string, isRestart: boolean): ChildProcess
  log: Log
  /** Called once, when every role is ready for the first time. */
  onReady(banners: readonly string[]): void
}

export interface SupervisorLimits {
  /** A role that ran this long is restarted at once, as if it never failed. */
  steadyMs: number
  firstDelayMs: number
  /** What dies at every start takes a good part of a core; a house without its names takes more. */
  maxDelayMs: number
  /** SIGKILL follows SIGTERM after this. */
  stopMs: number
}

export const supervisorLimits: SupervisorLimits = {
  steadyMs: 10_000,
  firstDelayMs: 100,
  maxDelayMs: 2000,
  stopMs: 4500,
}

export interface Supervisor {
  /** Resolves with the exit code: 0 after `stop`, the role's own when it cannot even start. */
  run(): Promise<number>
  stop(): void
}

interface Role {
  name: string
  child: ChildProcess | undefined
  banner: string | undefined
  wasReady: boolean
  failures: number
}

const isReady = (message: unknown): message is ReadyMessage =>
  typeof message === 'object' && message !== null && 'ready' in message

/** @param names in start order; they are stopped in reverse */
export function createSupervisor(
  names: readonly string[],
  deps: SupervisorDeps,
  limits: SupervisorLimits = supervisorLimits,
): Supervisor {
  const { log } = deps
  const roles: Role[] = names.map((name) => ({
    name,
    child: undefined,
    banner: undefined,
    wasReady: false,
    failures: 0,
  }))
  const stopping = new AbortController()
  let exitCode = 0
  let announced = false

  function noteReady(role: Role, message: ReadyMessage): void {
    role.wasReady = true
    role.banner = message.banner
    log.info({ role: role.name, pid: role.child?.pid ?? 0 }, 'role is ready')
    if (announced || !roles.every((one) => one.wasReady)) return
    announced = true
    deps.onReady(roles.flatMap((one) => one.banner ?? []))
  }

  async function runOnce(role: Role): Promise<{ code: number | null; signal: string | null }> {
    const child = deps.spawn(role.name, role.wasReady)
    role.child = child
    child.on('message', (message) => {
      if (isReady(message)) noteReady(role, message)
    })
    return new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
      child.once('error', (error) => {
        log.error({ role: role.name, error }, 'role cannot be started')
        resolve({ code: 1, signal: null })
      })
    })
  }

  function delayAfter(role: Role, ranMs: number): number {
    role.failures = ranMs >= limits.steadyMs ? 0 : role.failures + 1
    if (role.failures <= 1) return 0
    return Math.min(limits.maxDelayMs, limits.firstDelayMs * 2 ** (role.failures - 2))
  }

  async function keepRunning(role: Role): Promise<void> {
    while (!stopping.signal.aborted) {
      const startedAt = performance.now()
      const { code, signal } = await runOnce(role)
      role.child = undefined
      if (stopping.signal.aborted) return
      if (!role.wasReady) {
        // What cannot start the first time will not start the second: a port, a lock, a broken file.
        exitCode = code === null || code === 0 ? 1 : code
        stopping.abort()
        return
      }
      const delayMs = delayAfter(role, performance.now() - startedAt)
      log.warn(
        { role: role.name, code: code ?? signal ?? 'none', delayMs },
        'role ended, restarting',
      )
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  async function stopRole(role: Role): Promise<void> {
    const child = role.child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const inTime = new AbortController()
    child.kill('SIGTERM')
    const killed = sleep(limits.stopMs, undefined, { signal: inTime.signal }).then(
      () => {
        log.warn({ role: role.name, pid: child.pid ?? 0 }, 'role did not stop in time, killing it')
        child.kill('SIGKILL')
      },
      () => {},
    )
    await gone
    inTime.abort()
    await killed
  }

  async function stopAll(): Promise<void> {
    for (const role of roles.toReversed()) await stopRole(role)
  }

  return {
    async run() {
      const stopped = new Promise<void>((resolve) => {
        stopping.signal.addEventListener('abort', () => resolve(stopAll()), { once: true })
      })
      await Promise.all(roles.map((role) => keepRunning(role)))
      await stopped
      return exitCode
    },
    stop: () => stopping.abort(),
  }
}
