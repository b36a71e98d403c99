/** Starts components in order and stops them in reverse; a half-done start is undone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { declareError, messageOf } from '../base/errors.ts'
import type { Component } from '../base/ports/component.ts'

export const StopTimeout = declareError(
  'BTL_ERR_APP_STOP_TIMEOUT',
  '%s did not stop within %s seconds',
  500,
)

export type Lifetime = Pick<Component, 'name' | 'start' | 'stop'>

export interface Lifecycle {
  /** @throws what the failing component threw, after the started ones were stopped again */
  start(signal: AbortSignal): Promise<void>
  /** Stops everything that was started; collects failures into one AggregateError. */
  stop(): Promise<void>
}

export function createLifecycle(components: readonly Lifetime[], stopTimeoutMs = 4000): Lifecycle {
  const running: Lifetime[] = []

  async function stopOne(component: Lifetime): Promise<void> {
    const tooLate = new AbortController()
    const deadline = sleep(stopTimeoutMs, undefined, { signal: tooLate.signal }).then(
      () => {
        throw new StopTimeout(component.name, stopTimeoutMs / 1000)
      },
      () => {},
    )
    try {
      await Promise.race([component.stop(), deadline])
    } finally {
      tooLate.abort()
    }
  }

  async function stop(): Promise<void> {
    const failures: unknown[] = []
    for (let component = running.pop(); component; component = running.pop()) {
      try {
        await stopOne(component)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '))
  }

  return {
    async start(signal) {
      for (const component of components) {
        signal.throwIfAborted()
        // Before it has started: a start that fails half-way has something to release too.
        running.push(component)
        try {
          await component.start(signal)
        } catch (error) {
          await stop().catch(() => {})
          throw error
        }
      }
    },
    stop,
  }
}
