/** Holds a state folder for one verb: no daemon runs on it, and none can start meanwhile. */
import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createRunFolder, isRunning } from '../run-folder.ts'
import { NotRunning, Refused } from './admin-client.ts'

const run = promisify(execFile)

const TARGET = 'btlinkd.target'
/** The supervisor's first: without it no role comes. `swap` is whose turn it is to carry one through. */
const LOCKS = ['serve', 'web', 'swarm', 'dns', 'swap'] as const
// Roles may take ten seconds to stop; so may their sockets.
const STOP_MS = 60_000
const LOOK_MS = 100

async function systemctl(...args: string[]): Promise<boolean> {
  try {
    await run('systemctl', args, { timeout: STOP_MS })
    return true
  } catch {
    return false
  }
}

/** @returns whether it has to be started again */
async function stopDaemon(stateDir: string, mayStop: boolean): Promise<boolean> {
  if (!(await isRunning(stateDir))) return false
  const isUnit = mayStop && (await systemctl('is-active', '--quiet', TARGET))
  if (!isUnit) {
    const how = mayStop
      ? 'it is no unit of systemd here, stop it where it was started'
      : 'stop it first, or say --stop where systemd runs it'
    throw new Refused(`a btlinkd runs on ${stateDir}: ${how}`)
  }
  await systemctl('stop', TARGET)
  const until = performance.now() + STOP_MS
  while (await isRunning(stateDir)) {
    if (performance.now() > until) throw new Refused(`${TARGET} does not stop`)
    await sleep(LOOK_MS)
  }
  return true
}

/** @throws where there is no such folder */
export async function requireFolder(stateDir: string): Promise<void> {
  const found = await stat(stateDir).catch(() => undefined)
  if (!found?.isDirectory()) throw new NotRunning(stateDir)
}

export interface Rest {
  stateDir: string
  /** `--stop`: systemd stops the daemon, and starts it again afterwards. */
  mayStop: boolean
  /** Where this is the owner of the folder, and not who called. */
  asRoot: <Result>(work: () => Promise<Result>) => Promise<Result>
}

export async function withBoxAtRest<Result>(
  { stateDir, mayStop, asRoot }: Rest,
  work: () => Promise<Result>,
): Promise<Result> {
  const wasStopped = await asRoot(() => stopDaemon(stateDir, mayStop))
  const held: { stop(): Promise<void> }[] = []
  const release = async () => {
    for (let lock = held.pop(); lock; lock = held.pop()) await lock.stop()
  }
  try {
    for (const role of LOCKS) {
      const lock = createRunFolder(stateDir, role, 0)
      held.push(lock)
      await lock.start(AbortSignal.timeout(STOP_MS))
    }
    return await work()
  } finally {
    await release()
    if (wasStopped && !(await asRoot(() => systemctl('start', TARGET)))) {
      process.stderr.write(`${TARGET} was stopped and does not start: look at journalctl\n`)
    }
  }
}
