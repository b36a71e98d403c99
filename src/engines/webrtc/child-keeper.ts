/** Starts the child process when it is needed, asks it, ends it, and tells when it is gone. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import { WebRtcBadSdp, WebRtcEnded, WebRtcFull, WebRtcTimeout } from './errors.ts'
import { asReport, type Order, type Report, type Setup } from './messages.ts'

export interface KeeperLimits {
  /** Longest time from fork to the first message; a Pi Zero reads the library from its card. */
  startMs: number
  /** Longest wait for a description. */
  askMs: number
  /** A child that ran this long is restarted at once, as if it never failed. */
  steadyMs: number
  firstDelayMs: number
  maxDelayMs: number
  /** SIGKILL follows the order to end after this. */
  stopMs: number
}

export const keeperLimits: KeeperLimits = {
  startMs: 15_000,
  askMs: 8000,
  steadyMs: 10_000,
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  stopMs: 2000,
}

export interface KeeperDeps {
  log: Log
  /** The program of the child. */
  entry: URL
  setup(): Promise<Setup>
  /** A connection is over. */
  onGone(key: string, why: string): void
  /** The child died; all connections with it. */
  onDeath(): void
}

export interface ChildKeeper {
  /** Starts it where it does not run. @throws BTL_ERR_WEBRTC_ENDED */
  ready(): Promise<void>
  /** The description that an `answer` or `offer` leads to. */
  ask(
    order: { do: 'answer'; key: string; sdp: string } | { do: 'offer'; key: string },
  ): Promise<string>
  tell(order: Order): void
  /** Ends it and waits; the next `ready` starts another. */
  end(): Promise<void>
  pid(): number | undefined
  deaths(): number
  /** Milliseconds until it may be started again, 0 for now. */
  delayMs(): number
}

interface Question {
  resolve(sdp: string): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

// It handles what strangers sent, in C++: it gets no credentials to read, and little memory.
const FLAGS = ['--max-semi-space-size=2', '--optimize-for-size']
const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  // glibc gives every thread an arena of its own to grow, and the library has a thread per core.
  MALLOC_ARENA_MAX: '2',
})

const hasExited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

export function createChildKeeper(
  deps: KeeperDeps,
  maxConnections: number,
  limits: KeeperLimits = keeperLimits,
): ChildKeeper {
  const { log } = deps
  const questions = new Map<string, Question>()
  let starting: Promise<void> | undefined
  let child: ChildProcess | undefined
  let generation = 0
  let deaths = 0
  let failures = 0
  let notBefore = 0

  function settle(key: string): Question | undefined {
    const question = questions.get(key)
    clearTimeout(question?.timer)
    questions.delete(key)
    return question
  }

  function hear(report: Report): void {
    if (report.say === 'ready') return
    if (report.say === 'sdp') settle(report.key)?.resolve(report.sdp)
    else if (report.say === 'refused') {
      const error = report.isFull ? new WebRtcFull(maxConnections) : new WebRtcBadSdp(report.why)
      settle(report.key)?.reject(error)
    } else {
      settle(report.key)?.reject(new WebRtcBadSdp(report.why))
      deps.onGone(report.key, report.why)
    }
  }

  function bury(why: string, startedAt: number): void {
    child = undefined
    deaths += 1
    failures = performance.now() - startedAt >= limits.steadyMs ? 1 : failures + 1
    const delayMs =
      failures <= 1 ? 0 : Math.min(limits.maxDelayMs, limits.firstDelayMs * 2 ** (failures - 2))
    notBefore = performance.now() + delayMs
    log.warn({ why, delayMs }, 'the process for webrtc ended')
    for (const key of questions.keys()) settle(key)?.reject(new WebRtcEnded(why))
    deps.onDeath()
  }

  async function start(): Promise<void> {
    const waitMs = notBefore - performance.now()
    if (waitMs > 0) throw new WebRtcEnded(`it is started again in ${Math.ceil(waitMs)} ms`)
    const mine = ++generation
    const setup = await deps.setup()
    if (mine !== generation) throw new WebRtcEnded('it was stopped')
    const startedAt = performance.now()
    const started = fork(deps.entry, [], {
      execArgv: FLAGS,
      env: environment(),
      // What C++ says when it gives up is worth a line in the journal.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    child = started
    const ready = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      started.kill('SIGKILL')
      ready.reject(new WebRtcTimeout(limits.startMs))
    }, limits.startMs)
    const onEnd = (why: string): void => {
      clearTimeout(timer)
      ready.reject(new WebRtcEnded(why))
      if (child === started) bury(why, startedAt)
    }
    started.once('exit', (code, signal) => onEnd(`it ended with ${code ?? signal ?? 'nothing'}`))
    // Also when a message cannot be sent any more: its exit follows.
    started.on('error', (error) => {
      if (started.pid === undefined) onEnd(`it cannot be started: ${messageOf(error)}`)
    })
    started.on('message', (message) => {
      const report = asReport(message)
      if (report?.say === 'ready') ready.resolve()
      if (report && child === started) hear(report)
    })
    started.send(setup, () => undefined)
    await ready.promise.finally(() => clearTimeout(timer))
    log.debug({ pid: started.pid ?? 0 }, 'the process for webrtc runs')
  }

  function tell(order: Order): void {
    // A child that is about to be seen dead takes no orders; onDeath tells the rest.
    if (child?.connected === true) child.send(order, () => undefined)
  }

  return {
    async ready() {
      if (child && !starting) return
      starting ??= start().finally(() => {
        starting = undefined
      })
      await starting
    },
    ask(order) {
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const timer = setTimeout(
        () => settle(order.key)?.reject(new WebRtcTimeout(limits.askMs)),
        limits.askMs,
      )
      questions.set(order.key, { resolve, reject, timer })
      if (child) tell(order)
      else settle(order.key)?.reject(new WebRtcEnded('its process ended'))
      return promise
    },
    tell,
    async end() {
      generation += 1
      const ending = child
      child = undefined
      for (const key of questions.keys()) settle(key)?.reject(new WebRtcEnded('it was stopped'))
      if (!ending || ending.pid === undefined || hasExited(ending)) return
      const gone = once(ending, 'exit')
      if (ending.connected) ending.send({ do: 'end' } satisfies Order, () => undefined)
      else ending.kill('SIGKILL')
      const inTime = new AbortController()
      const killed = sleep(limits.stopMs, undefined, { signal: inTime.signal }).then(
        () => ending.kill('SIGKILL'),
        () => false,
      )
      await gone
      inTime.abort()
      await killed
    },
    pid: () => child?.pid,
    deaths: () => deaths,
    delayMs: () => Math.max(0, notBefore - performance.now()),
  }
}
