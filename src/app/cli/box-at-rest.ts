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

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** @param stopping told before it is stopped */
async function stopDaemon(
  stateDir: string,
  mayStop: boolean,
  stopping: () => void,
  signal: AbortSignal,
): Promise<void> {
  if (!(await isRunning(stateDir))) return
  const isUnit = mayStop && (await systemctl('is-active', '--quiet', TARGET))
  if (!isUnit) {
    const how = mayStop
      ? 'it is no unit of systemd here, stop it where it was started'
      : 'stop it first, or say --stop where systemd runs it'
    throw new Refused(`a btlinkd runs on ${stateDir}: ${how}`)
  }
  stopping()
  await systemctl('stop', TARGET)
  const until = performance.now() + STOP_MS
  while (await isRunning(stateDir)) {
    if (performance.now() > until) throw new Refused(`${TARGET} does not stop`)
    await sleep(LOOK_MS, undefined, { signal })
  }
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

/**
 * A house must not be left without its daemon because somebody closed the terminal: signals end `work`
 * by its signal, and what was stopped is started in any case.
 */
export async function withBoxAtRest<Result>(
  { stateDir, mayStop, asRoot }: Rest,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const given = new AbortController()
  const { signal } = given
  const giveUp = () => given.abort(new Refused('given up'))
  for (const name of SIGNALS) process.on(name, giveUp)
  // A terminal that is gone takes no words, which must not end us before the end.
  const streams = [process.stdout, process.stderr]
  for (const stream of streams) stream.on('error', giveUp)
  let wasStopped = false
  const stopping = () => void (wasStopped = true)
  const held: { stop(): Promise<void> }[] = []
  const release = async () => {
    for (let lock = held.pop(); lock; lock = held.pop()) await lock.stop()
  }
  try {
    await asRoot(() => stopDaemon(stateDir, mayStop, stopping, signal))
    for (const role of LOCKS) {
      const lock = createRunFolder(stateDir, role, 0)
      held.push(lock)
      await lock.start(AbortSignal.timeout(STOP_MS))
    }
    signal.throwIfAborted()
    return await work(signal)
  } catch (error) {
    throw error instanceof Error && error.name === 'AbortError' && signal.aborted
      ? signal.reason
      : error
  } finally {
    await release()
    if (wasStopped && !(await asRoot(() => systemctl('start', TARGET)))) {
      process.stderr.write(`${TARGET} was stopped and does not start: look at journalctl\n`)
    }
    for (const name of SIGNALS) process.off(name, giveUp)
    for (const stream of streams) stream.off('error', giveUp)
  }
}
