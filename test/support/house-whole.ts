/** A house of the tests as it is on an ordinary evening: everything plugged in, everybody there. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after } from 'node:test'
import { curl } from './curl.ts'
import type { DaemonOptions, TestDaemon } from './daemon.ts'
import {
  createHouse,
  type DhcpOptions,
  type House,
  joinNetwork,
  type Lease,
  startBox,
  startDhcp,
  watchUplink,
  type Witness,
} from './house.ts'
import { type Internet, startInternet } from './house-internet.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { until } from './until.ts'

export const WELCOME_TITLE = 'Your box works'

export interface WholeHouse {
  house: House
  internet: Internet
  box: TestDaemon
  /** Of each laptop. */
  leases: readonly [Lease, Lease]
  witness: Witness
  /** Host of the site that a fresh box has. */
  welcome: string
  /** Files of the authorities that people trust here: the box's, and that of an ordinary site. */
  roots: string[]
}

/** What a hook starts ends with the hook; this is for what a whole suite needs. */
export function untilTheEnd(): Cleanup {
  const kept: (() => void | Promise<void>)[] = []
  after(async () => {
    for (const fn of kept) await fn()
  })
  return { after: (fn) => void kept.push(fn) }
}

/** The authority of the box, as any device in the house gets it. */
async function rootOf(t: Cleanup, { box, laptops }: House): Promise<string> {
  const url = `http://${box.address}/.btlink/rootca.pem`
  const { status, body } = await curl(url, { netns: laptops[0].netns })
  if (status !== 200) throw new Error(`${url}: ${status} ${body.toString()}`)
  const file = join(await tempFolder(t, 'root'), 'root.pem')
  await writeFile(file, body)
  return file
}

export async function wholeHouse(
  t: Cleanup,
  options: DaemonOptions = {},
  dhcp: DhcpOptions = {},
): Promise<WholeHouse> {
  const house = await createHouse(t)
  const internet = await startInternet(t, house)
  await startDhcp(t, house, dhcp)
  const witness = await watchUplink(t, house)
  const box = await startBox(t, house, options)
  const [one, two] = house.laptops
  const leases = [await joinNetwork(t, one), await joinNetwork(t, two)] as const
  // It answers a moment before it says so.
  const welcome = await until('the banner', () => {
    return /http:\/\/(\S+-pk\.btlink)\.localhost/.exec(box.output())?.[1]
  })
  const roots = [await rootOf(t, house), internet.ca]
  return { house, internet, box, leases, witness, welcome, roots }
}
