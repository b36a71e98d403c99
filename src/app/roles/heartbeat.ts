/** What systemd hears of a role while it lives; the watchdog is fed only after the role answered itself. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import { type Notify, statusLine } from './notify.ts'

export interface HeartbeatDeps {
  notify: Notify
  /** Asks the role over its own socket, as others do. */
  ask: (signal: AbortSignal) => Promise<void>
  /** One line for people. */
  status: () => string | Promise<string>
  log: Log
}

export interface Heartbeat {
  /** The sockets are bound: says so, and beats from now on. */
  ready(): Promise<void>
  /** Says that the role is ending, and beats no more. */
  stop(): Promise<void>
}

/** Questions in the time that systemd waits: two may fail. */
const BEATS_A_PERIOD = 3
/** Of the status, where nobody watches. */
const UNWATCHED_MS = 30_000
/** At the end nobody waits for systemd. */
const LAST_WORD_MS = 1000

export function createHeartbeat(deps: HeartbeatDeps): Heartbeat {
  const { notify, ask, status, log } = deps
  const { watchdogMs } = notify
  const stopping = new AbortController()
  const { signal } = stopping
  const everyMs = watchdogMs === undefined ? UNWATCHED_MS : Math.ceil(watchdogMs / BEATS_A_PERIOD)
  let lastStatus = ''

  async function send(...assignments: string[]): Promise<void> {
    try {
      await notify.send(...assignments)
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'cannot tell systemd how this role is')
    }
  }

  /** A line that says the same again is not worth a message. */
  function changed(text: string): string[] {
    const line = statusLine(text)
    if (line === lastStatus) return []
    lastStatus = line
    return [line]
  }

  async function beat(): Promise<void> {
    let news: string[]
    try {
      await ask(AbortSignal.any([signal, AbortSignal.timeout(everyMs)]))
      news = changed(await status())
      if (watchdogMs !== undefined) news.push('WATCHDOG=1')
    } catch (error) {
      if (signal.aborted) return
      log.warn({ error: messageOf(error) }, 'this role does not answer itself')
      news = changed(`does not answer itself: ${messageOf(error)}`)
    }
    if (!signal.aborted && news.length > 0) await send(...news)
  }

  async function beats(): Promise<void> {
    while (!signal.aborted) {
      const began = performance.now()
      await beat()
      const left = Math.max(everyMs / 2, everyMs - (performance.now() - began))
      await sleep(left, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  return {
    async ready() {
      await send('READY=1', ...changed('ready'))
      beats().catch((error: unknown) =>
        log.error({ error: messageOf(error) }, 'the watchdog is fed no more'),
      )
    },
    async stop() {
      stopping.abort()
      const late = new AbortController()
      await Promise.race([
        send('STOPPING=1', statusLine('stopping')),
        sleep(LAST_WORD_MS, undefined, { signal: late.signal }).catch(() => {}),
      ])
      late.abort()
    },
  }
}
