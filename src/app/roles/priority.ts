/** Whose turn it is where all want a processor: a role that others wait for goes before those that work. */
import { setPriority } from 'node:os'
import { messageOf } from '../../base/errors.ts'
import type { Component } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'

/**
 * As a "nice" value. With every core hashing it took the slowest hundredth of the resolver's answers
 * from 3.5 to 0.5 ms: see bench/dns-load.ts.
 */
const BEFORE_OTHERS = -10

/** Sets the priority of the process while it runs; without the right to (CAP_SYS_NICE) all stays as it is. */
export function createPriority(log: Log, set: typeof setPriority = setPriority): Component {
  return {
    name: 'priority',
    async start() {
      try {
        set(BEFORE_OTHERS)
      } catch (error) {
        log.debug({ error: messageOf(error) }, 'takes its turn with the others')
      }
    },
    stop: async () => {},
    health: () => ({ status: 'ok', score: 100 }),
  }
}
