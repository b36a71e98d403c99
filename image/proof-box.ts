/** The box of `npm run proof:update`: a flashed image in QEMU that starts as often as it wants to. */
import { existsSync } from 'node:fs'
import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { flash } from '../test/support/image.ts'
import { type Machine, machine } from '../test/support/machine.ts'
import { output } from '../test/support/processes.ts'
import type { Cleanup } from '../test/support/temp.ts'
import type { ReleaseName, Workshop } from './proof-releases.ts'

// Without KVM a start takes a minute, and a version that is not well has three.
const START_MS = 420_000
export const MAX_STARTS = 3
const APPLY_MS = 1_200_000
/** What OVMF says once at each start, by power, by reset, and after a panic. */
const START_LINE = /BdsDxe: starting Boot/g
/** Things of the box that no update may change or lose. */
const KEPT = `find /var/lib/btlinkd/proof /var/lib/btlinkd/pki -type f \\( -name 'root*' -o -name blob \\); echo /etc/machine-id`
const SUMS = '/var/lib/btlinkd-proof.sha256'

export interface Settled {
  version: string
  /** Starts since the mark, counted on the console. */
  starts: number
  seconds: number
  /** The boot loader's entries, with their counters. */
  entries: string
  blessed: boolean
}

export interface ProofBox {
  machine: Machine
  /** Runs `btlinkd update …` with a release as the channel. */
  update(release: ReleaseName, words: string): Promise<{ code: number; text: string }>
  channel(release: ReleaseName): string
  /** Waits, after `mark` of the console, until a version is up and judged. */
  settled(mark: number): Promise<Settled>
  entries(): Promise<string>
  /** Undefined where all that was acknowledged is there, else what is not. */
  damage(): Promise<string | undefined>
}

const startsIn = (text: string): number => text.match(START_LINE)?.length ?? 0

async function openBox(
  cleanup: Cleanup,
  { disk, folder, port }: { disk: string; folder: string; port: number },
): Promise<ProofBox> {
  const box = await machine(cleanup, {
    kind: 'pc',
    disk,
    folder,
    memoryMb: 1024,
    probe: true,
    services: [port],
  })
  const ask = async (command: string) => (await box.shell(command)).text.trim()
  const channel = (release: ReleaseName) => `http://10.0.2.100/${release}`
  const entries = async () => (await ask('ls /boot/EFI/Linux')).replaceAll('\n', ' ')

  /** Undefined while nothing is up, or not judged. */
  async function look(): Promise<Pick<Settled, 'version' | 'entries' | 'blessed'> | undefined> {
    const { text } = await box
      .shell(
        '. /etc/os-release; echo "v=$IMAGE_VERSION"; systemctl is-active boot-complete.target; ls /boot/EFI/Linux',
        30_000,
      )
      .catch(() => ({ text: '' }))
    const version = /^v=(\S+)/m.exec(text)?.[1]
    if (version === undefined || !/^active$/m.test(text)) return undefined
    const names = text.split('\n').filter((line) => line.endsWith('.efi'))
    const blessed = names.includes(`btlinkd_${version}.efi`)
    return { version, entries: names.join(' '), blessed }
  }

  async function settled(mark: number): Promise<Settled> {
    const since = Date.now()
    const until = since + START_MS * MAX_STARTS
    let starts = 0
    for (let judged = 0; Date.now() < until && starts <= MAX_STARTS + 1; await sleep(1000)) {
      if (!box.running) await box.start()
      // Before the first line of the firmware it is the old start that answers.
      starts = startsIn(box.console().slice(mark))
      const found = starts === 0 ? undefined : await look()
      if (found === undefined) continue
      // The counter goes a moment after the judgement.
      if (!found.blessed && judged++ < 30) continue
      return {
        ...found,
        starts: startsIn(box.console().slice(mark)),
        seconds: (Date.now() - since) / 1000,
      }
    }
    throw new Error(`no version settles, after ${starts} starts: ${box.console().slice(-3000)}`)
  }

  return {
    machine: box,
    channel,
    entries,
    settled,
    update: (release, words) =>
      box.shell(`BTLINKD_UPDATE__CHANNEL=${channel(release)} btlinkd update ${words}`, APPLY_MS),
    async damage() {
      const { code, text } = await box.shell(`sha256sum --check --quiet ${SUMS}`)
      return code === 0 ? undefined : text.trim() || `code ${code}`
    },
  }
}

/** Things that have to stay, written and summed. */
async function leaveThings({ machine: box }: ProofBox): Promise<number> {
  const { code, text } = await box.shell(
    `cd /var/lib/btlinkd && mkdir -p proof && head -c 8M /dev/urandom > proof/blob && { ${KEPT}; } | xargs sha256sum > ${SUMS} && sync && cat ${SUMS}`,
  )
  if (code !== 0) throw new Error(text)
  return text.trim().split('\n').length
}

const copyDisk = async (from: string, to: string) => {
  await rm(to, { force: true })
  await output('/usr/bin/cp', ['--sparse=always', from, to], { timeoutMs: 120_000 })
}

/** Boxes to run cases on, one after the other. */
export interface Boxes {
  /** A box that is up on the first version; fresh is one on which nothing was ever installed. */
  get(wanted: { isFresh: boolean; keepsFresh: boolean }): Promise<ProofBox>
  /** After a case that did not end as it should: the next one gets another. */
  drop(): Promise<void>
}

/** @param port of the channel, on loopback */
export function openBoxes(cleanup: Cleanup, shop: Workshop, port: number): Boxes {
  const { work, first, say } = shop
  const kept = join(work, 'first.img')
  const disk = join(work, 'disk.img')
  let now: { box: ProofBox; end: () => Promise<void> } | undefined
  let nowIsFresh = false

  async function open(): Promise<{ box: ProofBox; end: () => Promise<void> }> {
    const folder = join(work, 'machine')
    await rm(folder, { recursive: true, force: true })
    const undo: (() => void | Promise<void>)[] = []
    const box = await openBox({ after: (fn) => void undo.push(fn) }, { disk, folder, port })
    // As it comes: whoever waits wants to read it.
    const write = async () => writeFile(join(work, 'console.txt'), box.machine.console())
    const timer = setInterval(() => void write(), 5000)
    const end = async () => {
      clearInterval(timer)
      await write()
      for (const step of undo.toReversed()) await step()
    }
    return { box, end }
  }

  async function flashed(): Promise<void> {
    const image = (await readdir(first)).find((name) => name.endsWith('.img'))
    if (image === undefined) throw new Error(`${first} has no image`)
    await flash(join(first, image), disk)
  }

  async function drop(): Promise<void> {
    const { end } = now ?? {}
    now = undefined
    await end?.()
    await rm(disk, { force: true })
  }

  cleanup.after(drop)
  return {
    drop,
    async get({ isFresh, keepsFresh }) {
      if (now && (nowIsFresh || !isFresh)) {
        nowIsFresh &&= keepsFresh
        return now.box
      }
      await drop()
      const isFirst = !existsSync(kept)
      await (isFirst ? flashed() : copyDisk(kept, disk))
      now = await open()
      nowIsFresh = keepsFresh
      const { box } = now
      await box.machine.start()
      const { version, seconds } = await box.settled(0)
      say(`${version} is up ${seconds.toFixed(0)} s after it was turned on`)
      if (isFirst) {
        say(`${await leaveThings(box)} files have to stay`)
        // As if its power went here, but that it goes on.
        await box.machine.monitor('stop')
        await copyDisk(disk, `${kept}.half`)
        await box.machine.monitor('cont')
        await rename(`${kept}.half`, kept)
      }
      return box
    },
  }
}
