/**
 * One role as a process: composes it, starts it, tells its listeners, and stops when it is asked. A
 * child of our supervisor, or alone as a unit of systemd.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Config } from '../config/schema.ts'
import { createLifecycle } from '../lifecycle.ts'
import { createLog } from '../log-lines.ts'
import { type RoleName, rolesOf, type ServeArgs } from '../serve-args.ts'
import { requireSettled } from '../settled.ts'
import { composeRole, SOCKETS } from './compose-role.ts'
import type { ComposedRole } from './composed-role.ts'
import { type GivenSockets, takeGivenSockets } from './given-sockets.ts'
import { createHeartbeat, type Heartbeat } from './heartbeat.ts'
import { type Listeners, onFormerPorts, writeListeners } from './listeners.ts'
import { loadInChild } from './load-in-child.ts'
import { type Notify, statusLine, takeNotify } from './notify.ts'
import type { ReadyMessage } from './supervisor.ts'

const CONFIGURATION_EXIT = 78
const HARD_EXIT_MS = 9000
/** Between two tries to reach a role that is not there yet. */
const RETRY_MS = 1000

/** What systemd gave: sockets, and an ear. */
interface Surroundings {
  given: GivenSockets
  notify: Notify | undefined
}

/** What the supervisor sends a role first. */
export interface StartMessage {
  config: Config
  isRestart: boolean
}

const isSupervised = (): boolean =>
  process.env['BTL_SUPERVISED'] === '1' && process.channel !== undefined

/** An exit code where there is none, after it was said why. */
async function effectiveConfig(role: RoleName, args: ServeArgs): Promise<Config | number> {
  if (isSupervised()) {
    const [{ config, isRestart }] = (await once(process, 'message')) as [StartMessage]
    return isRestart ? onFormerPorts(role, config) : config
  }
  const { config, state } = args
  return loadInChild([
    ...(config === undefined ? [] : [`--config=${config}`]),
    ...(state === undefined ? [] : [`--state=${state}`]),
  ])
}

/** @throws BadSockets */
function surroundings(role: RoleName): Surroundings {
  const given = takeGivenSockets(process.env, [...SOCKETS[role], 'notify'])
  return { given, notify: takeNotify(process.env, given.get('notify')?.[0]) }
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

/** What comes after the start waits for roles that start later, or again. */
async function afterStart(
  composed: ComposedRole,
  log: Log,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (;;) {
    try {
      return await unlessStopped(Promise.resolve(composed.afterStart?.(signal)), signal)
    } catch (error) {
      if (signal.aborted || codeOf(error) !== 'BTL_ERR_RPC_UNAVAILABLE') throw error
      log.info({ reason: messageOf(error) }, 'waits for another role')
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
    }
  }
}

/** Says to whoever started this process that its sockets are bound. */
async function announce(
  composed: ComposedRole,
  heartbeat: Heartbeat | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const after = afterStart(composed, log, signal)
  if (process.connected) {
    const banner = await after
    const message: ReadyMessage = banner === undefined ? { ready: true } : { ready: true, banner }
    process.send?.(message)
    return
  }
  after.catch((error: unknown) => {
    if (!signal.aborted) log.error({ code: codeOf(error), error: messageOf(error) }, 'goes without')
  })
  await heartbeat?.ready()
}

/** Resolves with the exit code, once the role has stopped. */
export async function runRole(role: RoleName, args: ServeArgs): Promise<number> {
  let around: Surroundings
  try {
    around = surroundings(role)
  } catch (error) {
    process.stderr.write(`btlinkd: ${messageOf(error)}\n`)
    return CONFIGURATION_EXIT
  }
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  // Before the child that reads the configuration, which is told to end together with this process.
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // The supervisor is gone, however it went: nobody would ever stop this process.
  process.on('disconnect', stop)
  let config: Config | number
  try {
    config = await unlessStopped(effectiveConfig(role, args), stopping.signal)
  } catch (error) {
    if (stopping.signal.aborted) return 0
    throw error
  }
  if (typeof config === 'number') return config
  const { given, notify } = around
  const log = createLog(role, config.log)
  if (!rolesOf(config).includes(role)) {
    log.info({ mode: config.mode }, 'the configuration has no such role: nothing to do')
    await notify?.send('READY=1', statusLine('the configuration has no such role'))
    return 0
  }
  process.on('unhandledRejection', (error) => {
    log.error(
      { code: codeOf(error) ?? 'none', error: messageOf(error) },
      'nobody handled a rejection',
    )
  })

  let lifecycle
  let heartbeat
  try {
    // The others have nothing that a restore changes.
    if (role === 'web') requireSettled(config.state_dir)
    const composed = await composeRole(role, config, given)
    lifecycle = createLifecycle(composed.components)
    heartbeat =
      notify &&
      createHeartbeat({
        notify,
        ask: (signal) => composed.ask(signal),
        status: () => composed.status(),
        log,
      })
    await lifecycle.start(stopping.signal)
    await tellListeners(config.state_dir, role, await composed.listeners(), log)
    await announce(composed, heartbeat, log, stopping.signal)
  } catch (error) {
    if (!stopping.signal.aborted)
      log.error({ code: codeOf(error) ?? 'none', error: messageOf(error) }, 'cannot start')
    await lifecycle?.stop().catch(() => {})
    return stopping.signal.aborted ? 0 : 1
  }

  if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
  // Node can hang in its own exit (nodejs/node#54918): the role ends itself whatever happens.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), HARD_EXIT_MS).unref()
  await heartbeat?.stop()
  try {
    await lifecycle.stop()
    return 0
  } catch (error) {
    log.error({ error: messageOf(error) }, 'not everything stopped cleanly')
    return 1
  }
}
