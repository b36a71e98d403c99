/** Whose turn it is where all want a processor: a role that others wait for goes before those that work. */
import { execFile } from 'node:child_process'
import { setPriority } from 'node:os'
import { pid } from 'node:process'
import { promisify } from 'node:util'
import { messageOf } from '../../base/errors.ts'
import type { Component } from '../../base/ports/component.ts'
import type { Log } from '../../base/ports/log.ts'

const run = promisify(execFile)

/** Of util-linux: Node has no call for it. */
const CHRT = '/usr/bin/chrt'
const LOWEST_REAL_TIME = '1'
/** As a "nice" value. */
const BEFORE_OTHERS = -10

/**
 * Puts the main thread of the process before all that have no such wish: at the lowest real-time
 * priority, where the kernel leaves a twentieth of the time to the others whatever happens
 * (sched_rt_runtime_us), else at a better nice value, and where it has the right to neither
 * (CAP_SYS_NICE) all stays as it is. Beside a hashing process it took the slowest hundredth of the
 * resolver's answers from 3.5 ms to 0.4, and beside a flooded web role from 4 ms to 0.4, of which nice
 * alone leaves 1 to 3: see bench/dns-load.ts.
 */
export function createPriority(log: Log, chrt = CHRT, nice = setPriority): Component {
  return {
    name: 'priority',
    async start(signal) {
      try {
        await run(chrt, ['--rr', '--reset-on-fork', '--pid', LOWEST_REAL_TIME, String(pid)], {
          signal,
        })
      } catch (failure) {
        log.debug({ error: messageOf(failure) }, 'has no real-time priority')
        try {
          nice(BEFORE_OTHERS)
        } catch (error) {
          log.debug({ error: messageOf(error) }, 'takes its turn with the others')
        }
      }
    },
    stop: async () => {},
    health: () => ({ status: 'ok', score: 100 }),
  }
}
