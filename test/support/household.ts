/**
 * A household in network namespaces: boxes on one switch, each with its own address, and nothing of
 * it in the machine's own network. Needs root.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { getuid, pid } from 'node:process'
import { output } from './processes.ts'
import { type Cleanup, finallyDo } from './temp.ts'
import { until } from './until.ts'

const IP = '/usr/sbin/ip'
let households = 0

export interface Box {
  /** Name of the namespace, for `ip netns exec`. */
  readonly netns: string
  readonly address: string
}

/** Why household tests cannot run here, or false. */
export function withoutNetns(): string | false {
  if (getuid?.() === 0) return false
  const why = 'needs root for network namespaces'
  if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(why)
  return why
}

const ip = (...args: string[]) => output(IP, args)
const inside = (netns: string, ...args: string[]) => output(IP, ['-n', netns, ...args])

/**
 * The kernel takes up to a second to call a link running (net/core/link_watch.c), and programs list
 * the addresses of running ones only.
 */
const running = (netns: string) =>
  until(`the link of ${netns}`, async () =>
    (await inside(netns, 'link', 'show', 'eth0')).includes('state UP'),
  )

/** Makes `names.length` boxes with addresses 10.77.0.1 and up, gone when the test ends. */
export async function household(t: Cleanup, ...names: string[]): Promise<Box[]> {
  const prefix = `bt-${pid}-${++households}`
  const switchNs = `${prefix}-sw`
  const made: string[] = []
  // Registered before the first is made: what a failure leaves half done goes too.
  finallyDo(t, async () => {
    for (const netns of made) await ip('netns', 'del', netns).catch(() => undefined)
  })
  const make = async (netns: string) => {
    await ip('netns', 'add', netns)
    made.push(netns)
    await inside(netns, 'link', 'set', 'lo', 'up')
  }
  await make(switchNs)
  await inside(switchNs, 'link', 'add', 'br0', 'type', 'bridge')
  await inside(switchNs, 'link', 'set', 'br0', 'up')
  const boxes: Box[] = []
  for (const [index, name] of names.entries()) {
    const netns = `${prefix}-${name}`
    const address = `10.77.0.${index + 1}`
    await make(netns)
    const port = `p${index}`
    await inside(netns, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', port)
    await inside(netns, 'link', 'set', port, 'netns', switchNs)
    await inside(switchNs, 'link', 'set', port, 'master', 'br0', 'up')
    await inside(netns, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await inside(netns, 'link', 'set', 'eth0', 'up')
    boxes.push({ netns, address })
  }
  for (const { netns } of boxes) await running(netns)
  return boxes
}

/** Gives programs started in the box another file of /etc than the machine's: `ip netns exec` does so. */
export async function etc(t: Cleanup, box: Box, name: string, text: string): Promise<void> {
  const folder = join('/etc/netns', box.netns)
  await mkdir(folder, { recursive: true })
  finallyDo(t, () => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, name), text)
}

/** Lets programs started in the box find `host` at `address`. */
export async function nameHost(t: Cleanup, box: Box, host: string, address: string): Promise<void> {
  await etc(t, box, 'hosts', `127.0.0.1 localhost\n${address} ${host}\n`)
}
