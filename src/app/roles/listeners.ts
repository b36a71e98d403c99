/** `<state>/run/listeners.json`: the ports in use, for scripts and tests; each role writes its own part. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Listener {
  port: number
  transport: 'tcp' | 'udp' | 'tcp+udp'
}

export type Listeners = Record<string, Listener>

const partName = /^listeners\.([a-z]+)\.json$/

async function replaceFile(path: string, value: unknown): Promise<void> {
  const fresh = `${path}.${process.pid}.tmp`
  await writeFile(fresh, `${JSON.stringify(value, undefined, 2)}\n`)
  await rename(fresh, path)
}

/** Every listener of the roles that have started. */
export async function readListeners(stateDir: string): Promise<Listeners> {
  const folder = join(stateDir, 'run')
  const all: Listeners = {}
  for (const entry of (await readdir(folder)).sort()) {
    if (!partName.test(entry)) continue
    Object.assign(all, JSON.parse(await readFile(join(folder, entry), 'utf8')) as Listeners)
  }
  return all
}

export async function writeListeners(
  stateDir: string,
  role: string,
  listeners: Listeners,
): Promise<void> {
  const folder = join(stateDir, 'run')
  await mkdir(folder, { recursive: true })
  await replaceFile(join(folder, `listeners.${role}.json`), listeners)
  // Whoever writes last sees the parts of all before it.
  await replaceFile(join(folder, 'listeners.json'), await readListeners(stateDir))
}
