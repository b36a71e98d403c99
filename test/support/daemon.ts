/** A whole btlinkd of a test: its own state, free ports, no network but the one the test gives it. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Answer, curl, type CurlOptions } from './curl.ts'
import { familyOf, run, type Running, type RunResult, start } from './processes.ts'
import { ROOT } from './sources.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { until } from './until.ts'

const LAUNCH = join(ROOT, 'src/app/launch.mjs')
const READY_MS = 30_000

type Section = Record<string, unknown>

export interface DaemonOptions {
  netns?: string | undefined
  /** Where it listens and is spoken to; boxes of a household have addresses, else loopback. */
  address?: string
  /** `host:port` of DHT nodes to begin with. */
  bootstrap?: string[]
  /** `mode` of the configuration; without it all of it runs. */
  mode?: 'gateway-only' | 'proxy-only'
  /** Sections that win over the test's own. */
  config?: Record<string, Section>
  /** Run dist/ as `npm start` does; the default is the sources. */
  compiled?: boolean
  /** Further variables of its environment. */
  env?: NodeJS.ProcessEnv
  /** A state folder that an earlier daemon left. */
  state?: string
}

export interface TestDaemon {
  readonly state: string
  /** The supervisor; the roles are below it. */
  readonly pid: number
  /** Port by listener: `http`, `gateway`, `dht`, `swarm`. */
  port(listener: string): number
  /** `host:port` other nodes bootstrap from. */
  readonly dhtNode: string
  /** A request to the content gateway with this Host. */
  get(host: string, path?: string, options?: CurlOptions): Promise<Answer>
  /** A request to API and web UI. */
  api(path: string, options?: CurlOptions): Promise<Answer>
  cli(...args: string[]): Promise<RunResult>
  /** A verb with `--json` that must succeed. */
  json(...args: string[]): Promise<Record<string, unknown>>
  /** The process of a role, or undefined while it is down. */
  rolePid(role: string): Promise<number | undefined>
  output(): string
  kill(signal: NodeJS.Signals): void
  stop(): Promise<void>
  /** Starts again on the same state and configuration; ports may change. */
  restart(): Promise<void>
}

function configuration(options: DaemonOptions): Record<string, Section | string> {
  const bootstrap = { bootstrap_nodes: options.bootstrap ?? [] }
  const base: Record<string, Section> = {
    gateway: { port: 0 },
    proxy: { http_port: 0, https_port: 0 },
    blossom_server: { port: 0 },
    tracker: { udp_port: 0 },
    dns: { port: 0 },
    dht: { port: 0, allow_local: true, ...bootstrap },
    swarm: { port: 0, lsd: false, allow_local: true },
    // A name asked for a moment too early is not missing for long.
    btlink: { missing_cache: '1s' },
  }
  for (const [name, section] of Object.entries(options.config ?? {})) {
    base[name] = { ...base[name], ...section }
  }
  return options.mode === undefined ? base : { mode: options.mode, ...base }
}

/** Starts a daemon and waits until it answers. */
export async function createTestDaemon(
  t: Cleanup,
  options: DaemonOptions = {},
): Promise<TestDaemon> {
  const state = options.state ?? join(await tempFolder(t, 'btlinkd'), 'state')
  await mkdir(state, { recursive: true })
  const configFile = join(dirname(state), 'btlinkd.yaml')
  // YAML reads JSON.
  await writeFile(configFile, JSON.stringify(configuration(options), undefined, 2))
  const sources = options.compiled ? {} : { BTL_RUN_SOURCES: '1' }
  const env = { ...process.env, ...sources, ...options.env }
  const address = options.address ?? '127.0.0.1'
  const { netns } = options
  const listenersFile = join(state, 'run', 'listeners.json')
  let running: Running
  let listeners: Record<string, { port: number }>

  const expected = options.mode === 'proxy-only' ? ['http'] : ['http', 'dht', 'swarm']
  const launch = async () => {
    await rm(listenersFile, { force: true })
    const args = [LAUNCH, 'serve', '--config', configFile, '--state', state]
    running = start(t, process.execPath, args, { netns, env, cwd: dirname(state) })
    await until(
      'the daemon to be ready',
      async () => {
        if (running.child.exitCode !== null) return true
        listeners = JSON.parse(await readFile(listenersFile, 'utf8')) as typeof listeners
        if (!expected.every((name) => name in listeners)) return false
        return (
          (await curl(`http://127.0.0.1:${port('http')}/`, { netns, maxSeconds: 2 })).status > 0
        )
      },
      { timeoutMs: READY_MS },
    ).catch((error: unknown) => {
      throw new Error(`no daemon: ${running.output()}`, { cause: error })
    })
    if (running.child.exitCode !== null) throw new Error(`no daemon: ${running.output()}`)
  }
  const port = (listener: string) => {
    const found = listeners[listener]
    if (!found) throw new Error(`no listener ${listener} in ${JSON.stringify(listeners)}`)
    return found.port
  }
  const api = (path: string, more: CurlOptions = {}) =>
    curl(`http://127.0.0.1:${port('gateway')}${path}`, { netns, ...more })
  const cli = (...args: string[]) =>
    run(process.execPath, [LAUNCH, ...args, '--state', state], {
      netns,
      env,
      cwd: dirname(state),
      timeoutMs: 60_000,
    })

  await launch()
  return {
    state,
    get pid() {
      return running.pid
    },
    port,
    get dhtNode() {
      return `${address}:${port('dht')}`
    },
    get: (host, path = '/', more = {}) =>
      curl(`http://127.0.0.1:${port('http')}${path}`, { netns, host, ...more }),
    api,
    cli,
    async json(...args) {
      const { code, stdout, stderr } = await cli(...args, '--json')
      if (code !== 0) throw new Error(`btlinkd ${args.join(' ')}: ${code} ${stderr}${stdout}`)
      return JSON.parse(stdout) as Record<string, unknown>
    },
    async rolePid(role) {
      const family = await familyOf(running.pid)
      return family.find(({ command }) => command.includes(`--role ${role}`))?.pid
    },
    output: () => running.output(),
    kill: (signal) => running.kill(signal),
    stop: () => running.stop(),
    async restart() {
      await running.stop()
      await launch()
    },
  }
}

/** Writes files below `folder`, making the folders between. */
export async function writeSite(
  folder: string,
  files: Record<string, string | Uint8Array>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}
