/** The daemon inside a guest, as its own client sees it. */
import { mkdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type * as LifecycleRoom from '../../../src/app/lifecycle.ts'
import type * as ComposeRole from '../../../src/app/roles/compose-role.ts'

type Lifecycle = ReturnType<typeof LifecycleRoom.createLifecycle>

const DIST = join(import.meta.dirname, '../dist')

/** Printed at once: what is on the console before the plug is pulled has reached the host. */
export const tell = (...words: (string | number)[]): void => {
  writeSync(1, `${words.join(' ')}\n`)
}

export interface Reply {
  status: number
  body: Buffer
}

export interface GuestBox {
  state: string
  /** @throws why it cannot start */
  start(): Promise<void>
  stop(): Promise<void>
  /** Over the admin socket; the caller says what is in the answer. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller's claim, as with JSON.parse
  ask<Json>(method: string, path: string, body?: unknown): Promise<{ status: number; json: Json }>
  get(host: string, path: string): Promise<Reply>
}

const send = (options: object, payload?: string, timeoutMs = 20_000): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request({ timeout: timeoutMs, ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }),
      )
    })
    sent.on('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', reject)
    sent.end(payload)
  })

export interface BoxOptions {
  /** Sections that win, with effective values: bytes, milliseconds. */
  config?: Record<string, object>
}

/**
 * Swarm and web role in this process: every Node of a guest takes seconds to start, and for what
 * reaches the disk it is all the same.
 */
export function createBox(options: BoxOptions = {}): GuestBox {
  const text = readFileSync(join(import.meta.dirname, '../config.json'), 'utf8')
  const config = JSON.parse(text) as Record<string, object> & { state_dir: string }
  for (const [name, section] of Object.entries(options.config ?? {})) {
    config[name] = { ...config[name], ...section }
  }
  const state = config.state_dir
  const lifecycles: Lifecycle[] = []
  return {
    state,
    async start() {
      const [{ composeRole }, { createLifecycle }] = (await Promise.all([
        import(join(DIST, 'app/roles/compose-role.js')),
        import(join(DIST, 'app/lifecycle.js')),
      ])) as [typeof ComposeRole, typeof LifecycleRoom]
      for (const role of ['swarm', 'web'] as const) {
        const composed = await composeRole(role, config as never, new Map())
        const lifecycle = createLifecycle(composed.components)
        lifecycles.unshift(lifecycle)
        await lifecycle.start(new AbortController().signal)
      }
    },
    async stop() {
      for (const lifecycle of lifecycles.splice(0)) await lifecycle.stop()
    },
    // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller's claim, as with JSON.parse
    async ask<Json>(method: string, path: string, body?: unknown) {
      const payload = body === undefined ? undefined : JSON.stringify(body)
      const headers = {
        host: 'localhost',
        accept: 'application/json',
        ...(payload !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        }),
      }
      const reply = await send(
        { socketPath: join(state, 'run/admin.sock'), method, path, headers },
        payload,
      )
      const text = reply.body.toString()
      return { status: reply.status, json: JSON.parse(text === '' ? 'null' : text) as Json }
    },
    get: (host, path) => send({ host: '127.0.0.1', port: 80, path, headers: { host } }),
  }
}

export interface PublishedPage {
  key: string
  publicKey: string
  seq: number
  infoHash: string
  text: string
}

/** What version `n` of a key's site says: told from its number alone. */
export const pageOf = (key: string, n: number): string =>
  `<!doctype html><title>${key} ${n}</title>\n${`version ${n} of ${key}\n`.repeat(1 + ((n * 131) % 900))}`

/** Publishes version `n`; @throws what the daemon said where it did not acknowledge */
export async function publishPage(
  box: GuestBox,
  key: string,
  n: number,
  wait = false,
): Promise<PublishedPage> {
  const folder = `/run/sites/${key}`
  const text = pageOf(key, n)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.html'), text)
  writeFileSync(join(folder, 'same.txt'), `always of ${key}`)
  const { status, json } = await box.ask<PublishedPage>('POST', '/api/sites/publish', {
    folder,
    key,
    wait,
  })
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(json)}`)
  const { seq, infoHash, publicKey } = json
  return { key, seq, infoHash, publicKey, text }
}
