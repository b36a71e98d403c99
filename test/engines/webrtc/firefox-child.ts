/**
 * Firefox, headless, driven over WebDriver BiDi from within its own network: playwright-core needs a
 * Firefox of its own making. Arguments: a folder for the profile, the page. Orders on stdin and
 * answers on stdout are JSON lines: `{id, script}` and `{id, result}` or `{id, failure}`.
 */
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { WebSocket } from 'ws'

interface BiDiMessage {
  id?: number
  type?: string
  message?: string
  result?: Record<string, unknown>
}

const [profile = '', url = ''] = process.argv.slice(2)
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

// Nothing that calls home; WebRTC is left as it is delivered.
const PREFERENCES = {
  'app.normandy.enabled': false,
  'app.update.enabled': false,
  'browser.safebrowsing.downloads.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'toolkit.telemetry.enabled': false,
}
await writeFile(
  join(profile, 'user.js'),
  Object.entries(PREFERENCES)
    .map(([key, value]) => `user_pref(${JSON.stringify(key)}, ${JSON.stringify(value)});\n`)
    .join(''),
)

const firefox = spawn(
  '/usr/bin/firefox-esr',
  ['--headless', '--no-remote', '--remote-debugging-port', '0', '--profile', profile],
  { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: profile } },
)
firefox.once('exit', (code) => process.exit(code ?? 1))
const endpoint = Promise.withResolvers<string>()
createInterface({ input: firefox.stderr }).on('line', (line) => {
  const [, found] = /WebDriver BiDi listening on (ws:\S+)/.exec(line) ?? []
  if (found !== undefined) endpoint.resolve(found)
})

const socket = new WebSocket(`${await endpoint.promise}/session`)
await new Promise((resolve) => socket.once('open', resolve))
const waiting = new Map<number, (message: BiDiMessage) => void>()
let lastId = 0
socket.on('message', (data: Buffer) => {
  const message = JSON.parse(data.toString()) as BiDiMessage
  if (message.id !== undefined) waiting.get(message.id)?.(message)
})

async function call(method: string, params: object): Promise<Record<string, unknown>> {
  const id = ++lastId
  const { promise, resolve } = Promise.withResolvers<BiDiMessage>()
  waiting.set(id, resolve)
  socket.send(JSON.stringify({ id, method, params }))
  const answer = await promise
  waiting.delete(id)
  if (answer.type === 'error') throw new Error(`${method}: ${answer.message}`)
  return answer.result ?? {}
}

await call('session.new', { capabilities: {} })
const { context } = await call('browsingContext.create', { type: 'tab' })
await call('browsingContext.navigate', { context, url, wait: 'complete' })
say({ ready: true })

async function evaluate(script: string): Promise<unknown> {
  const answer = await call('script.evaluate', {
    // Only JSON comes back in one piece.
    expression: `(async () => JSON.stringify({ value: await (${script}) }))()`,
    target: { context },
    awaitPromise: true,
  })
  if (answer['type'] !== 'success') throw new Error(JSON.stringify(answer['exceptionDetails']))
  const { value } = answer['result'] as { value: string }
  return (JSON.parse(value) as { value: unknown }).value
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, script } = JSON.parse(line) as { id: number; script: string }
    evaluate(script).then(
      (result) => say({ id, result: result ?? null }),
      (error: unknown) => say({ id, failure: String(error) }),
    )
  })
  .once('close', () => firefox.kill())
process.once('SIGTERM', () => firefox.kill())
