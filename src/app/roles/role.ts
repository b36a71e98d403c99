/** One role as a process: composes it, starts it, tells its listeners, and stops when it is asked. */
import { once } from 'node:events'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Config } from '../config/schema.ts'
import { createLifecycle } from '../lifecycle.ts'
import { createLog } from '../log-lines.ts'
import type { RoleName, ServeArgs } from '../serve-args.ts'
import { composeRole } from './compose-role.ts'
import { type Listeners, onFormerPorts, writeListeners } from './listeners.ts'
import type { ReadyMessage } from './supervisor.ts'

const CONFIGURATION_EXIT = 78
const HARD_EXIT_MS = 9000

/** What the supervisor sends a role first. */
export interface StartMessage {
  config: Config
  isRestart: boolean
}

async function effectiveConfig(role: RoleName, args: ServeArgs): Promise<Config> {
  if (process.env['BTL_SUPERVISED'] === '1' && process.channel) {
    const [{ config, isRestart }] = (await once(process, 'message')) as [StartMessage]
    return isRestart ? onFormerPorts(role, config) : config
  }
  const { requireConfig } = await import('../config/load.ts')
  return requireConfig({ file: args.config, stateDir: args.state })
}

/** On a full disk the role serves what is on it; a script may then find the ports of an earlier start. */
async function tellListeners(
  stateDir: string,
  role: RoleName,
  listeners: Listeners,
  log: Log,
): Promise<void> {
  try {
    await writeListeners(stateDir, role, listeners)
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'cannot write the ports in use to listeners.json')
  }
}

/** What waits for a role that never came must not hold up the end of this one. */
async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {})
  signal.throwIfAborted()
  const stopped = once(signal, 'abort').then(() => {
    throw signal.reason
  })
  return Promise.race([work, stopped])
}

/** Resolves with the exit code, once the role has stopped. */
export async function runRole(role: RoleName, args: ServeArgs): Promise<number> {
  let config: Config
  try {
    config = await effectiveConfig(role, args)
  } catch (error) {
    process.stderr.write(`btlinkd: ${messageOf(error)}\n`)
    return CONFIGURATION_EXIT
  }
  const log = createLog(role, config.log)
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // The supervisor is gone, however it went: nobody would ever stop this process.
  process.on('disconnect', stop)
  process.on('unhandledRejection', (error) => {
    log.error(
      { code: codeOf(error) ?? 'none', error: messageOf(error) },
      'nobody handled a rejection',
    )
  })

  let lifecycle
  try {
    const composed = await composeRole(role, config)
    lifecycle = createLifecycle(composed.components)
    await lifecycle.start(stopping.signal)
    await tellListeners(config.state_dir, role, await composed.listeners(), log)
    const after = composed.afterStart?.(stopping.signal)
    const banner = after && (await unlessStopped(after, stopping.signal))
    const message: ReadyMessage = banner === undefined ? { ready: true } : { ready: true, banner }
    if (process.connected) process.send?.(message)
  } catch (error) {
    if (!stopping.signal.aborted)
      log.error({ code: codeOf(error) ?? 'none', error: messageOf(error) }, 'cannot start')
    await lifecycle?.stop().catch(() => {})
    return stopping.signal.aborted ? 0 : 1
  }

  if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
  // Node can hang in its own exit (nodejs/node#54918): the role ends itself whatever happens.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), HARD_EXIT_MS).unref()
  try {
    await lifecycle.stop()
    return 0
  } catch (error) {
    log.error({ error: messageOf(error) }, 'not everything stopped cleanly')
    return 1
  }
}
