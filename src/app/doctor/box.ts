/** The running daemon as the doctor sees it: over the sockets in its state folder, like anybody else. */
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Box, DatabaseCare } from '../../services/doctor/index.ts'
import { ask } from '../cli/admin-client.ts'
import { readListeners } from '../roles/listeners.ts'
import { adminSocket, isRoleUp } from '../run-folder.ts'

const ANSWER_MS = 5000
const MAX_SITES = 1000
const MAX_TEXT = 4 * 1024 * 1024

/** A value a line: `name value`, as our own `/metrics` writes them. */
function numbersIn(text: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-zA-Z_:][\w:]*) (-?[\d.eE+-]+)$/.exec(line) ?? []
    if (name !== undefined && Number.isFinite(Number(value))) found.set(name, Number(value))
  }
  return found
}

export function askText(stateDir: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'localhost' }
    const sent = get({ socketPath: adminSocket(stateDir), path, headers, timeout: ANSWER_MS })
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')))
    sent.on('error', reject)
    sent.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > MAX_TEXT) sent.destroy(new Error('the answer is too long'))
      })
      response.on('error', reject)
      response.on('end', () => resolve(text))
    })
  })
}

interface OwnSite {
  kind?: string
  keyName?: string
  salt?: string
  infoHash?: string
}

export function createBox(
  stateDir: string,
  roles: readonly string[],
  database: DatabaseCare | undefined,
): Box {
  const answers = new Map<string, Promise<unknown>>()
  let alive: Promise<Record<string, boolean>> | undefined

  const rolesUp = () =>
    (alive ??= Promise.all(
      roles.map(async (role) => [role, await isRoleUp(stateDir, role)] as const),
    ).then((all) => Object.fromEntries(all)))

  /** A daemon that hangs is one that does not answer. */
  const within = <Result>(work: Promise<Result>): Promise<Result | undefined> => {
    const late = new AbortController()
    const over = sleep(ANSWER_MS, undefined, { signal: late.signal }).catch(() => undefined)
    return Promise.race([work.catch(() => undefined), over]).finally(() => late.abort())
  }

  async function once<Result>(
    key: string,
    work: () => Promise<Result>,
  ): Promise<Result | undefined> {
    // Whoever waits for a restart would wait for all checks at once.
    if ((await rolesUp())['web'] !== true) return undefined
    const known = answers.get(key) as Promise<Result | undefined> | undefined
    const asked = known ?? within(work())
    answers.set(key, asked)
    return asked
  }

  return {
    roles: rolesUp,
    isRunning: async () => Object.values(await rolesUp()).includes(true),
    listeners: async () =>
      Object.values(await rolesUp()).includes(true)
        ? readListeners(stateDir).catch(() => ({}))
        : {},
    ask: (path) => once(path, () => ask(stateDir, 'GET', path)),
    metrics: () => once('/metrics', async () => numbersIn(await askText(stateDir, '/metrics'))),
    async announce(signal) {
      const { sites = [] } = await ask<{ sites?: OwnSite[] }>(stateDir, 'GET', '/api/sites')
      let put = 0
      for (const { kind, keyName, salt = '', infoHash } of sites.slice(0, MAX_SITES)) {
        if (kind !== 'own' || keyName === undefined || infoHash === undefined) continue
        signal.throwIfAborted()
        const body = { infoHash, key: keyName, saltHex: salt, wait: true }
        await ask(stateDir, 'POST', '/api/sites/publish', body)
        put++
      }
      return put
    },
    database,
  }
}
