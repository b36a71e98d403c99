/** Name, time zone, wireless network and ssh keys of the card, into the places where the system looks for them. */
import { readlink, rename, rm, stat, symlink, mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type BootFile, finishedText } from './card.ts'
import { readIfThere, replaceOnFat, writeDurably, writeIfOther } from './durable-file.ts'
import { hostnameFileIn, keysFileIn, type Places, takenIn } from './places.ts'
import { type Preseed, readPreseed, withoutPasswords } from './preseed.ts'
import type { Told } from './report.ts'
import { mergeKeys, readSshKeys } from './ssh-keys.ts'
import { iwdFile, type Wifi, wpaFile } from './wifi.ts'

export const PRESEED_NAME = 'rpi-preseed.toml'
export const KEYS_NAME = 'authorized_keys'

const EMPTY: Preseed = { isWhole: true, faults: [], notes: [] }
const linesOf = (text: string | undefined): string[] =>
  (text ?? '').split('\n').filter((line) => line !== '')

export interface MachineDeps {
  places: Places
  /** Gives the running system its name. */
  setHostname: (name: string) => Promise<void>
}

export function createMachine({ places, setHostname }: MachineDeps) {
  const taken = (name: string) => takenIn(places.etc, name)

  async function takeZone(zone: string, told: Told): Promise<void> {
    const target = join(places.zones, zone)
    if (!(await stat(target).catch(() => undefined))?.isFile()) {
      told.faults.push(
        `${PRESEED_NAME}: locale.timezone: this image does not know "${zone}", the log is in UTC`,
      )
      return
    }
    const link = join(places.etc, '..', 'localtime')
    if ((await readlink(link).catch(() => undefined)) === target) return
    await rm(`${link}.new`, { force: true })
    await symlink(target, `${link}.new`)
    await rename(`${link}.new`, link)
    told.taken.push(`time zone ${zone}`)
  }

  async function takeWifi(wifi: Wifi, told: Told): Promise<void> {
    const secret = { mode: 0o600, folderMode: 0o700 }
    if (existsSync(places.iwdUnit)) {
      const { name, text } = iwdFile(wifi)
      await writeDurably(join(places.iwd, name), text, secret)
    } else if (existsSync(places.wpaProgram)) {
      await writeDurably(join(places.wpa, 'wpa_supplicant-wlan0.conf'), wpaFile(wifi), secret)
    } else {
      told.faults.push(
        `${PRESEED_NAME}: wlan: this image has no program for wireless networks: connect a cable`,
      )
      return
    }
    told.taken.push(`wireless network "${wifi.ssid}"`)
  }

  async function takePreseed(now: Preseed, before: Preseed, told: Told): Promise<void> {
    told.faults.push(...now.faults)
    told.notes.push(...now.notes)
    const { hostname, timezone, wifi } = now
    if (hostname !== undefined && hostname !== before.hostname) {
      const isNew = await writeIfOther(hostnameFileIn(places.etc), `${hostname}\n`, {
        mode: 0o644,
        folderMode: 0o750,
      })
      if (isNew) {
        told.taken.push(`name ${hostname}`)
        // A container may not name itself; the next start does.
        await setHostname(hostname).catch(() => told.notes.push('the name is used after a restart'))
      }
    }
    if (timezone !== undefined && timezone !== before.timezone) await takeZone(timezone, told)
    const isOther = JSON.stringify(wifi) !== JSON.stringify(before.wifi)
    if (wifi && isOther) await takeWifi(wifi, told)
  }

  /** A network whose password we took out must not be joined as an open one. */
  function checkWifi(now: Preseed, before: Preseed, text: string): void {
    const isTakenOut = /^# password: taken out/m.test(text)
    if (now.wifi?.password !== '' || !isTakenOut || now.wifi.ssid === before.wifi?.ssid) return
    now.faults.push(
      `${PRESEED_NAME}: wlan.password was taken out after the last start: write it again beside the new ssid`,
    )
    delete now.wifi
  }

  /** The keys that the card says now, and those it said when it was last taken. */
  async function takeKeys(
    now: readonly string[],
    before: readonly string[],
    told: Told,
  ): Promise<void> {
    const file = keysFileIn(places.ssh)
    const box = linesOf(await readIfThere(file))
    const keys = mergeKeys(box, before, now)
    if (keys.join('\n') === box.join('\n')) return
    await mkdir(places.ssh, { recursive: true, mode: 0o700 })
    // Empty is off: the unit's condition asks for more than nothing.
    await writeDurably(file, keys.length === 0 ? '' : `${keys.join('\n')}\n`, { mode: 0o600 })
    told.taken.push(
      keys.length === 0 ? 'ssh is off: no key is left' : `ssh is on for ${keys.length} keys`,
    )
  }

  /** Files that cannot be read, and files that somebody took off the card, take nothing away here. */
  async function takeKeyFile(
    card: BootFile | undefined,
    preseeds: { now: Preseed; former: Preseed },
    told: Told,
  ): Promise<void> {
    const former = await readIfThere(taken(KEYS_NAME))
    const text = (card && (await finishedText(card, told))) ?? former ?? ''
    const read = readSshKeys(text.split('\n'), card?.name ?? KEYS_NAME)
    told.faults.push(...read.faults)
    const before = readSshKeys((former ?? '').split('\n'), KEYS_NAME)
    await takeKeys(
      [...read.keys, ...(preseeds.now.keys ?? [])],
      [...before.keys, ...(preseeds.former.keys ?? [])],
      told,
    )
    if (text !== (former ?? '')) {
      await writeDurably(taken(KEYS_NAME), text, { mode: 0o600, folderMode: 0o750 })
    }
  }

  return {
    async take(
      preseed: BootFile | undefined,
      keyFile: BootFile | undefined,
      told: Told,
    ): Promise<void> {
      const formerText = await readIfThere(taken(PRESEED_NAME))
      const former = formerText === undefined ? EMPTY : await readPreseed(formerText, PRESEED_NAME)
      const text = preseed && (await finishedText(preseed, told))
      const read =
        text === undefined ? undefined : await readPreseed(text, preseed?.name ?? PRESEED_NAME)
      if (read && text !== undefined) {
        checkWifi(read, former, text)
        await takePreseed(read, former, told)
      }
      await takeKeyFile(keyFile, { now: read?.isWhole === true ? read : former, former }, told)
      if (preseed === undefined || text === undefined || read?.isWhole !== true) return
      const kept = await withoutPasswords(text)
      // First: cut off before the card is cleaned, the next start takes the same file again.
      await writeIfOther(taken(PRESEED_NAME), kept, { mode: 0o600, folderMode: 0o750 })
      if (kept !== text) await replaceOnFat(preseed.path, kept)
    },
  }
}
