/** Asks every part how it is, and makes one answer of it for people and for machines. */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../base/errors.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Component, Health } from '../../base/ports/component.ts'
import type { HealthConfig } from './config.ts'

export type HealthPart = Pick<Component, 'name' | 'health'>

export interface HealthDeps {
  parts: readonly HealthPart[]
  clock: Clock
  /** Names of the parts without which the box is of no use: their failure is that of the whole. */
  critical?: readonly string[]
}

/** Without the swarm the box still serves what it has; without these two it serves nothing. */
const CRITICAL = ['store', 'gateway']

export interface HealthReport {
  status: Health['status']
  /** 0 (dead) to 100 (well): that of the worst part. */
  score: number
  components: Record<string, Health>
}

export interface HealthService {
  /** Never throws: a part that fails or is silent is down. */
  check(): Promise<HealthReport>
}

async function ask(part: HealthPart, timeoutMs: number): Promise<Health> {
  const done = new AbortController()
  const late: Promise<Health> = sleep(timeoutMs, undefined, {
    signal: done.signal,
    ref: false,
  }).then(() => ({ status: 'down', score: 0, detail: `no answer within ${timeoutMs} ms` }))
  // Ended by us below, when the part was faster.
  late.catch(() => undefined)
  try {
    return await Promise.race([Promise.resolve(part.health()), late])
  } catch (error) {
    return { status: 'down', score: 0, detail: messageOf(error) }
  } finally {
    done.abort()
  }
}

function statusOf(
  answers: readonly (readonly [string, Health])[],
  critical: readonly string[],
): Health['status'] {
  const isDown = answers.some(([name, { status }]) => status === 'down' && critical.includes(name))
  if (isDown) return 'down'
  return answers.some(([, { status }]) => status !== 'ok') ? 'degraded' : 'ok'
}

export function createHealth(deps: HealthDeps, config: HealthConfig): HealthService {
  const { parts, clock, critical = CRITICAL } = deps
  let last: { at: number; report: Promise<HealthReport> } | undefined

  async function askAll(): Promise<HealthReport> {
    const answers = await Promise.all(
      parts.map(async (part) => [part.name, await ask(part, config.check_timeout)] as const),
    )
    const scores = answers.map(([, { score }]) => Math.max(0, Math.min(100, score)))
    return {
      status: statusOf(answers, critical),
      score: Math.min(100, ...scores),
      components: Object.fromEntries(answers),
    }
  }

  return {
    check() {
      const now = clock.now()
      // A clock set back must not keep an old answer for ever.
      if (last && now >= last.at && now - last.at < config.keep_for) return last.report
      last = { at: now, report: askAll() }
      return last.report
    },
  }
}
