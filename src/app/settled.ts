/** A restore or reset that was decided and cut short is carried through before anything looks at the state. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { declareError } from '../base/errors.ts'
import { createRunFolder } from './run-folder.ts'

export const NotSettled = declareError(
  'BTL_ERR_APP_NOT_SETTLED',
  'a restore of %s was cut short: run `btlinkd backup resume` as root, then start btlinkd again',
  500,
)

/** A restore of a large database on a slow card. */
const WAIT_MS = 60_000

/** Written here too, so that a start without one loads nothing for it. */
const isPending = (stateDir: string): boolean => existsSync(join(stateDir, 'swap.ready'))

/** @throws NotSettled */
export function requireSettled(stateDir: string): void {
  if (isPending(stateDir)) throw new NotSettled(stateDir)
}

/**
 * @returns whether something was carried through: the configuration may be another one now
 * @throws BTL_ERR_BACKUP_UNFINISHED, NotSettled
 */
export async function settle(stateDir: string): Promise<boolean> {
  if (!isPending(stateDir)) return false
  // Root carries out no plan of another user: the verb knows what such a plan may name.
  if (process.geteuid?.() === 0 && statSync(stateDir).uid !== 0) throw new NotSettled(stateDir)
  const { finishSwap } = await import('../services/backup/index.ts')
  const lock = createRunFolder(stateDir, 'swap', WAIT_MS)
  await lock.start(AbortSignal.timeout(2 * WAIT_MS))
  try {
    return await finishSwap(stateDir)
  } finally {
    await lock.stop()
  }
}
