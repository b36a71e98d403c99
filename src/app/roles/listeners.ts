/** `<state>/run/listeners.json`: the ports in use, for scripts and tests; each role writes its own part. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../base/errors.ts'
import type { Config } from '../config/schema.ts'
import { roleFolder } from '../run-folder.ts'

export interface Listener {
  port: number
  transport: 'tcp' | 'udp' | 'tcp+udp'
}

export type Listeners = Record<string, Listener>

const partOf = (stateDir: string, role: string): string =>
  join(roleFolder(stateDir, role), 'listeners.json')

const NOT_OURS = new Set(['EROFS', 'EACCES'])

async function replaceFile(path: string, value: unknown): Promise<void> {
  const fresh = `${path}.${process.pid}.tmp`
  try {
    await writeFile(fresh, `${JSON.stringify(value, undefined, 2)}\n`)
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

/** What one role wrote; nothing where a power cut left the file empty, for it is not synced. */
async function readPart(path: string): Promise<Listeners> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Listeners
  } catch {
    return {}
  }
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1)

/** Every listener of the roles that have started. */
export async function readListeners(stateDir: string): Promise<Listeners> {
  const folder = join(stateDir, 'run')
  const all: Listeners = {}
  for (const entry of (await readdir(folder, { withFileTypes: true })).toSorted(byName)) {
    if (entry.isDirectory()) Object.assign(all, await readPart(partOf(stateDir, entry.name)))
  }
  return all
}

/**
 * The configuration with the ports that this role had before it died: whoever spoke with it finds it
 * where it was, also where the port was left to the system.
 */
export async function onFormerPorts(role: string, config: Config): Promise<Config> {
  const former = await readPart(partOf(config.state_dir, role))
  const portOf = (listener: string, configured: number): number =>
    configured === 0 ? (former[listener]?.port ?? 0) : configured
  const { proxy, gateway, dht, dns, swarm } = config
  return {
    ...config,
    proxy: {
      ...proxy,
      http_port: portOf('http', proxy.http_port),
      https_port: portOf('https', proxy.https_port),
      socks_port: proxy.socks_port === 'off' ? 'off' : portOf('socks', proxy.socks_port),
    },
    dns: { ...dns, port: portOf('dns', dns.port) },
    gateway: { ...gateway, port: portOf('gateway', gateway.port) },
    dht: { ...dht, port: portOf('dht', dht.port) },
    swarm: { ...swarm, port: portOf('swarm', swarm.port) },
  }
}

export async function writeListeners(
  stateDir: string,
  role: string,
  listeners: Listeners,
): Promise<void> {
  await mkdir(roleFolder(stateDir, role), { recursive: true })
  await replaceFile(partOf(stateDir, role), listeners)
  // Whoever writes last sees the parts of all before it.
  await replaceFile(join(stateDir, 'run', 'listeners.json'), await readListeners(stateDir)).catch(
    (error: unknown) => {
      // In their sandboxes only the web role may, which starts last.
      if (!NOT_OURS.has(codeOf(error) ?? '')) throw error
    },
  )
}
