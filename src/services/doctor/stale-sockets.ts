/** Sockets of a daemon that was killed: files at which nobody listens. */
import { lstat, readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { codeOf } from '../../base/errors.ts'

const MAX_SOCKETS = 100

function isDead(path: string): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      answer(false)
    })
    socket.once('error', (error) => answer(codeOf(error) === 'ECONNREFUSED'))
  })
}

/** Paths below `<state>/run`. */
export async function staleSockets(stateDir: string, signal: AbortSignal): Promise<string[]> {
  const run = join(stateDir, 'run')
  const dead: string[] = []
  const entries = await readdir(run, { recursive: true }).catch(() => [])
  for (const entry of entries.slice(0, MAX_SOCKETS)) {
    signal.throwIfAborted()
    const path = join(run, entry)
    const stat = await lstat(path).catch(() => undefined)
    if (stat?.isSocket() === true && (await isDead(path))) dead.push(path)
  }
  return dead
}
