/**
 * `<state>/run`: sockets and listeners of the running roles, and the lock of each role. What a role
 * makes is in a folder of its own, so that a sandbox can show it that one and hide `admin.sock`.
 */
import { chmod, mkdir, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, declareError, messageOf } from '../base/errors.ts'
import type { Lifetime } from './lifecycle.ts'

export const StateUnusable = declareError(
  'BTL_ERR_APP_STATE_UNUSABLE',
  'cannot use the state folder %s: %s',
  500,
)
export const StateInUse = declareError(
  'BTL_ERR_APP_STATE_IN_USE',
  'another btlinkd runs on %s: stop that one first, or name another folder with --state',
  409,
)

// Reading and writing a socket in it is what drives the daemon: the folder's mode is the authority.
const FOLDER_MODE = 0o750
// Linux: sun_path has 108 bytes, the last one 0; Node cuts a longer one off without a word.
const MAX_SOCKET_PATH = 107
// Longer than roles need to end after their supervisor was killed and brought back.
const LOCK_WAIT_MS = 3000
const LOCK_LOOK_MS = 100

/** `<state>/run/<role>` */
export const roleFolder = (stateDir: string, role: string): string => join(stateDir, 'run', role)
export const swarmSocket = (stateDir: string): string =>
  join(roleFolder(stateDir, 'swarm'), 'rpc.sock')
export const dnsSocket = (stateDir: string): string => join(roleFolder(stateDir, 'dns'), 'rpc.sock')
export const adminSocket = (stateDir: string): string => join(stateDir, 'run', 'admin.sock')
const lockSocket = (stateDir: string, role: string): string =>
  join(roleFolder(stateDir, role), 'lock')

const isThere = (error: unknown): void => {
  if (codeOf(error) !== 'EEXIST') throw error
}

/** Not `recursive`: that never returns where a folder that exists takes no other, as /proc does. */
async function makeFolder(folder: string): Promise<void> {
  const make = () => mkdir(folder, { mode: FOLDER_MODE }).catch(isThere)
  try {
    await make()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || folder === dirname(folder)) throw error
    await makeFolder(dirname(folder))
    await make()
  }
}

/** Whether a living process holds the lock; a killed one leaves a socket that refuses. */
function isHeld(path: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(path)
    socket.once('connect', () => answer(true))
    socket.once('error', (error) => answer(codeOf(error) === 'EAGAIN'))
    socket.once('connect', () => socket.destroy())
  })
}

/** Whether this role of a daemon lives on this state. */
export const isRoleUp = (stateDir: string, role: string): Promise<boolean> =>
  isHeld(lockSocket(stateDir, role))

/** Whether any role of a daemon lives on this state, whatever it is doing now. */
export async function isRunning(stateDir: string): Promise<boolean> {
  const locks = ['web', 'swarm', 'dns'].map((role) => isRoleUp(stateDir, role))
  return (await Promise.all(locks)).includes(true)
}

/** @returns undefined where the name is taken, by the living or the dead */
async function bind(path: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy())
  return new Promise((bound, failed) => {
    server.once('error', (error) => {
      if (codeOf(error) === 'EADDRINUSE') bound(undefined)
      else failed(error)
    })
    server.listen(path, () => bound(server.unref()))
  })
}

/**
 * Makes the folder and holds it for one process of this role: a second daemon on the same state
 * must not take the sockets of the first.
 */
export function createRunFolder(
  stateDir: string,
  role: string,
  lockWaitMs = LOCK_WAIT_MS,
): Lifetime {
  const path = lockSocket(stateDir, role)
  let lock: Server | undefined

  async function hold(signal: AbortSignal): Promise<void> {
    const until = performance.now() + lockWaitMs
    for (;;) {
      lock = await bind(path)
      if (lock) return
      if (!(await isHeld(path))) await rm(path, { force: true })
      else if (performance.now() < until) await sleep(LOCK_LOOK_MS, undefined, { signal })
      else throw new StateInUse(stateDir)
    }
  }

  return {
    name: 'run folder',
    async start(signal) {
      const folder = resolve(roleFolder(stateDir, role))
      const longest = [swarmSocket(stateDir), adminSocket(stateDir), path]
      if (longest.some((one) => Buffer.byteLength(one) > MAX_SOCKET_PATH)) {
        throw new StateUnusable(
          stateDir,
          `a socket in it would have a path of over ${MAX_SOCKET_PATH} bytes, choose a shorter one`,
        )
      }
      try {
        await makeFolder(folder)
        // In a sandbox the one above is not ours.
        await chmod(dirname(folder), FOLDER_MODE).catch(() => {})
        await chmod(folder, FOLDER_MODE)
        await hold(signal)
      } catch (error) {
        if (signal.aborted || error instanceof StateInUse) throw error
        throw new StateUnusable(stateDir, messageOf(error), { cause: error })
      }
    },
    async stop() {
      const held = lock
      lock = undefined
      // Closing removes the socket.
      if (held) await new Promise<void>((done) => void held.close(() => done()))
    },
  }
}
