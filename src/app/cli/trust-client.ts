/** Asks for certificates: the daemon where one runs, else the folder itself. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../base/ports/clock.ts'
import { createTrustApi, type TrustApi } from '../../edges/api/index.ts'
import { createPki } from '../../engines/pki/index.ts'
import { requireConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { createLog } from '../log-lines.ts'
import { isRunning } from '../run-folder.ts'
import { boxHosts } from '../served-hosts.ts'
import { ask, NotRunning, Refused } from './admin-client.ts'
import { asOwner } from './as-owner.ts'
import { type VerbInput, valueOf } from './verb.ts'

/** What a running daemon has in memory: only proxies run without an admin socket. */
const CHANGES = /^\/api\/trust\/(?:rotate|import|link-domains)/

type Method = 'GET' | 'POST' | 'DELETE'

async function askFolder(
  config: Config,
  ...sent: Parameters<TrustApi['ask']>
): ReturnType<TrustApi['ask']> {
  const { state_dir: stateDir } = config
  const { tld } = config.btlink
  const pki = createPki(
    {
      log: createLog('ca', { level: 'warn', format: 'text' }),
      clock: systemClock,
      folder: join(stateDir, 'pki'),
    },
    { ...config.pki, tld, reserved_hosts: boxHosts(tld) },
  )
  return asOwner(stateDir, async () => {
    await pki.start(AbortSignal.timeout(60_000))
    try {
      return await createTrustApi(pki).ask(...sent)
    } finally {
      await pki.stop()
    }
  })
}

/** @throws what the box says where it refuses */
export async function askTrust<Result>(
  input: VerbInput,
  method: Method,
  path: string,
  body?: unknown,
): Promise<Result> {
  const stateDir = await input.stateDir()
  try {
    return await ask<Result>(stateDir, method, path, body)
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error
    // Nobody means a folder that is not there: it would get an authority that nothing uses.
    if (!(await stat(stateDir).catch(() => undefined))?.isDirectory()) throw error
  }
  if (CHANGES.test(path) && method !== 'GET' && (await isRunning(stateDir))) {
    throw new Refused(
      `the btlinkd on ${stateDir} takes no commands and would not see the change: stop it first`,
    )
  }
  const config = await requireConfig({ file: valueOf(input.flags, 'config'), stateDir })
  const answer = await askFolder(config, method, path, body)
  if (answer.status < 400) return answer.body as Result
  throw new Refused((answer.body as { message: string }).message)
}
