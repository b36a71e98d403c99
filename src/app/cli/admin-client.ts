/** Speaks to the running daemon over its admin socket. */
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, declareError } from '../../base/errors.ts'
import { adminSocket, isRunning } from '../run-folder.ts'

export const NotRunning = declareError(
  'BTL_ERR_CLI_NOT_RUNNING',
  'no btlinkd runs on %s: start it with `btlinkd serve`, or name its folder with --state',
  503,
)
export const NotAllowed = declareError(
  'BTL_ERR_CLI_NOT_ALLOWED',
  'the socket %s is not yours to use: run this as the user of the daemon',
  403,
)
export const Refused = declareError('BTL_ERR_CLI_REFUSED', '%s', 500)

/** No socket, one that a killed daemon left, or a path where none can be. */
const NOBODY = ['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'EINVAL']
// Longer than the web role takes to come back.
const RESTART_WAIT_MS = 10_000
const RESTART_LOOK_MS = 100

const MAX_ANSWER_BYTES = 64 * 1024 * 1024

interface Answer {
  status: number
  body: unknown
}

function connectFailure(error: Error, stateDir: string): Error {
  const code = codeOf(error)
  if (code !== undefined && NOBODY.includes(code)) return new NotRunning(stateDir, { cause: error })
  if (code === 'EACCES') return new NotAllowed(adminSocket(stateDir), { cause: error })
  return error
}

function parseJson(text: string): { value: unknown } | undefined {
  try {
    return { value: text === '' ? undefined : JSON.parse(text) }
  } catch {
    return undefined
  }
}

async function exchange(
  stateDir: string,
  method: string,
  path: string,
  body: unknown,
): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const sent = request({
      socketPath: adminSocket(stateDir),
      method,
      path,
      headers: {
        host: 'localhost',
        accept: 'application/json',
        ...(payload !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        }),
      },
    })
    sent.on('error', (error) => reject(connectFailure(error, stateDir)))
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('error', reject)
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_ANSWER_BYTES) sent.destroy(new Refused('the answer is too long'))
        else chunks.push(chunk)
      })
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const parsed = parseJson(text)
        if (parsed === undefined) {
          reject(new Refused(`the daemon answered ${response.statusCode} without JSON`))
        } else resolve({ status: response.statusCode ?? 0, body: parsed.value })
      })
    })
    sent.end(payload)
  })
}

/** Waits for a daemon whose web role is about to come back. */
async function reach(...sent: Parameters<typeof exchange>): Promise<Answer> {
  const until = performance.now() + RESTART_WAIT_MS
  for (;;) {
    try {
      return await exchange(...sent)
    } catch (error) {
      const isAway = error instanceof NotRunning && performance.now() < until
      if (!isAway || !(await isRunning(sent[0]))) throw error
      await sleep(RESTART_LOOK_MS)
    }
  }
}

/** @throws the daemon's own message where it refuses */
export async function ask<Result>(
  stateDir: string,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Result> {
  const answer = await reach(stateDir, method, path, body)
  // `/api/health` says 503 with a body that is the answer.
  if (answer.status < 400 || path === '/api/health') return answer.body as Result
  const message = (answer.body as { message?: string } | undefined)?.message
  throw new Refused(message ?? `the daemon answered ${answer.status}`)
}
