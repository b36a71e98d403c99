/** The slots of the image this machine runs: systemd-sysupdate writes them, boot counters choose. */
import { execFile } from 'node:child_process'
import { access, readFile, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { codeOf, messageOf } from '../../base/errors.ts'
import type { ImageFacts, Slot, Slots } from '../../base/ports/slots.ts'
import { formatSize } from '../../base/units.ts'
import {
  type BootEntry,
  entriesFolder,
  giveTries,
  giveUp,
  readEntries,
  sweepEntries,
  syncEntries,
} from './boot-entries.ts'
import { InstallFailed, NoRoomOnEsp, NoSuchSlot, NotAnImage } from './errors.ts'
import { createSysupdate, type Listed } from './sysupdate.ts'

const ARCHITECTURES: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
// The folder entry, and FAT's clusters.
const SPARE_BYTES = 256 * 1024
const MAX_SLOTS = 16

export interface SlotsOptions {
  osRelease: string
  /** File that says which of the images this is. */
  flavour: string
  /** Where the EFI system partition may be mounted, the first that has kernels is it. */
  esp: readonly string[]
  /** Folder of partitions by label. */
  partitions: string
  /** The folder that the transfers of systemd-sysupdate read. */
  folder: string
  /** systemd-sysupdate, and what is said before every verb. */
  sysupdate: readonly [string, ...string[]]
  systemctl: readonly [string, ...string[]]
}

/** As the image has it. */
export const IMAGE_SLOTS: SlotsOptions = {
  osRelease: '/etc/os-release',
  flavour: '/usr/lib/btlinkd/flavour',
  // systemd-gpt-auto-generator(8): /efi where there is that folder.
  esp: ['/efi', '/boot'],
  partitions: '/dev/disk/by-partlabel',
  folder: '/var/lib/btlinkd-update',
  sysupdate: ['/usr/lib/systemd/systemd-sysupdate'],
  systemctl: ['/usr/bin/systemctl'],
}

/** os-release(5): `KEY=value`, quoted or not. */
function readOsRelease(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\n').slice(0, 256)) {
    const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? []
    if (key !== undefined && value !== undefined)
      fields.set(key, value.replace(/^(["'])(.*)\1$/, '$2'))
  }
  return fields
}

/** None where it is missing: systemd-sysupdate will say so. */
const bytesOf = async (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  )

const hasPath = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

export function createSlots(
  /** Orders versions: below 0 where the first is older. */
  { compare }: { compare: (a: string, b: string) => number },
  options: SlotsOptions,
): Slots {
  const sysupdate = createSysupdate(options.sysupdate)

  async function findEsp(): Promise<string> {
    for (const folder of options.esp) if (await hasPath(entriesFolder(folder))) return folder
    throw new NotAnImage(`${options.esp.join(' and ')} have no folder EFI/Linux`)
  }

  async function image(): Promise<ImageFacts> {
    const text = await readFile(options.osRelease, 'utf8').catch((error: unknown) => {
      throw new NotAnImage(`${options.osRelease}: ${codeOf(error)}`, { cause: error })
    })
    const fields = readOsRelease(text)
    const version = fields.get('IMAGE_VERSION')
    if (fields.get('IMAGE_ID') !== 'btlinkd' || version === undefined)
      throw new NotAnImage(`${options.osRelease} has no IMAGE_ID=btlinkd`)
    const written = await readFile(options.flavour, 'utf8').catch(() => '')
    const flavour = written.trim()
    return {
      version,
      architecture: ARCHITECTURES[process.arch] ?? process.arch,
      ...(flavour !== '' && { flavour }),
    }
  }

  function slotOf({ version, isIncomplete }: Listed, running: string, entry?: BootEntry): Slot {
    const isRunning = version === running
    const slot = { version, isRunning }
    if (!entry || entry.bytes === 0 || isIncomplete) return { ...slot, boot: 'incomplete' }
    if (entry.triesLeft === undefined) return { ...slot, boot: 'good' }
    if (entry.triesLeft === 0) return { ...slot, boot: 'bad' }
    return { ...slot, boot: 'trying', triesLeft: entry.triesLeft }
  }

  async function slots(signal: AbortSignal): Promise<Slot[]> {
    const { version: running } = await image()
    const entries = await readEntries(await findEsp())
    const found: Slot[] = []
    const versions = (await sysupdate.versions(signal)).slice(0, MAX_SLOTS)
    for (const version of versions) {
      const listed = await sysupdate.look(version, signal)
      if (!listed.isInstalled && !listed.isIncomplete) continue
      found.push(
        slotOf(
          listed,
          running,
          entries.find((entry) => entry.version === version),
        ),
      )
    }
    return found.toSorted((a, b) => compare(b.version, a.version))
  }

  /** Old kernels are removed to make room; the one that runs is not. */
  async function requireRoom(version: string, running: string): Promise<void> {
    const needed = await bytesOf(join(options.folder, `btlinkd_${version}.efi`))
    const esp = await findEsp()
    const entries = await readEntries(esp)
    const { bavail, bsize } = await statfs(entriesFolder(esp))
    const freed = entries
      .filter((entry) => entry.version !== running)
      .reduce((sum, { bytes }) => sum + bytes, 0)
    const free = bavail * bsize + freed
    if (free < needed + SPARE_BYTES)
      throw new NoRoomOnEsp(esp, formatSize(free), formatSize(needed + SPARE_BYTES))
  }

  async function select(version: string, signal: AbortSignal): Promise<void> {
    const slot = (await slots(signal)).find((one) => one.version === version)
    if (!slot) throw new NoSuchSlot(version, 'it is not here')
    if (slot.boot === 'incomplete') throw new NoSuchSlot(version, 'some of its files are missing')
    const esp = await findEsp()
    const entries = await readEntries(esp)
    // In this order: at every moment there is something to boot.
    for (const entry of entries.filter((one) => one.version === version))
      await giveTries(esp, entry)
    for (const entry of entries.filter((one) => compare(one.version, version) > 0))
      await giveUp(esp, entry)
  }

  return {
    image,
    slots,
    select,
    async fileOf(role, version) {
      if (role === 'kernel') {
        const esp = await findEsp()
        const entries = await readEntries(esp)
        const entry = entries.find((one) => one.version === version)
        return entry && join(entriesFolder(esp), entry.name)
      }
      const suffix = role === 'verity' ? '_v' : ''
      const path = join(options.partitions, `btlinkd_${version}${suffix}`)
      return (await hasPath(path)) ? path : undefined
    },
    async install(version, signal) {
      const { version: running } = await image()
      if (version === running) throw new InstallFailed(version, 'it is the version that runs')
      await sweepEntries(await findEsp())
      await requireRoom(version, running)
      try {
        await sysupdate.update(version, signal)
      } catch (error) {
        if (signal.aborted) throw error
        throw new InstallFailed(version, messageOf(error), { cause: error })
      }
      await syncEntries(await findEsp(), version)
      // What is older than that which runs is passed over by the boot loader until this.
      await select(version, signal)
    },
    async reboot(at, signal) {
      const [program, ...given] = options.systemctl
      const when = at === undefined ? [] : [`--when=@${Math.floor(at.getTime() / 1000)}`]
      await promisify(execFile)(program, [...given, 'reboot', ...when], { signal })
    },
  }
}
