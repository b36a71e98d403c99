/** The machine: memory, heat, power, and what keeps watch over it. */
import { statfsSync, statSync } from 'node:fs'
import { reachOf } from '../../base/ip-reach.ts'
import { formatSize } from '../../base/units.ts'
import { imageVersion, isAppliance } from './appliance.ts'
import { type Check, failed, few, ok, unknown, warning } from './check.ts'
import { closedFamilies } from './firewall.ts'
import { houseInterfaces } from './network-facts.ts'

const HOT_MILLIDEGREES = 80_000
const TOO_HOT_MILLIDEGREES = 90_000
const MANY_LOG_LINES = 30
const ERRORS_OF_AN_HOUR = ['-u', 'btlinkd-*', '-p', 'err', '--since', '-1h']
const MAX_ZONES = 64
const MAX_EXTENSIONS = 64
/** TMPFS_MAGIC, statfs(2) */
const TMPFS = 0x01021994

/** systemd.io/AUTOMATIC_BOOT_ASSESSMENT: no tries left. Of those that are left by hand, none was done. */
const TRIED_IN_VAIN = /_([^_+]+)\+0-[1-9]\d*\.efi$/

export const machineChecks: readonly Check[] = [
  {
    id: 'memory',
    asks: 'Is there memory enough?',
    severity: 'some',
    why: 'A machine without memory swaps, stalls, and ends programs.',
    remedy: 'End what else runs here, or lower the caches: dns.cache_size, swarm connections.',
    view: 'machine',
    async look({ machine }) {
      const text = await machine.read('/proc/meminfo')
      const kilobytes = (key: string) =>
        Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text ?? '')?.[1])
      const total = kilobytes('MemTotal')
      const available = kilobytes('MemAvailable')
      if (!Number.isFinite(total) || !Number.isFinite(available))
        return unknown('the system does not say')
      const line = `${formatSize(available * 1024)} of ${formatSize(total * 1024)} can be had`
      // Documentation/accounting/psi.rst: percent of the last five minutes in which something waited for memory.
      const pressure = (await machine.read('/proc/pressure/memory')) ?? ''
      const waited = Number(/^some .*avg300=([\d.]+)/m.exec(pressure)?.[1] ?? 0)
      if (available < total / 50) return failed(`only ${line}`)
      if (waited > 10)
        return warning(`programs waited for memory ${waited} % of the last minutes; ${line}`)
      return available < total / 12 ? warning(`only ${line}`) : ok(line)
    },
  },
  {
    id: 'temperature',
    asks: 'Is the board cool enough?',
    severity: 'some',
    why: 'A hot board slows itself down, and ages.',
    remedy: 'Give it air, a heat sink or a fan.',
    view: 'machine',
    async look({ machine }) {
      const zones = await machine.list('/sys/class/thermal')
      const read = zones.filter((zone) => zone.startsWith('thermal_zone')).slice(0, MAX_ZONES)
      const degrees = await Promise.all(
        read.map(async (zone) => Number(await machine.read(`/sys/class/thermal/${zone}/temp`))),
      )
      const known = degrees.filter((one) => Number.isFinite(one) && one > 0)
      if (known.length === 0) return unknown('the board does not say')
      const hottest = Math.max(...known)
      const line = `${Math.round(hottest / 1000)} °C`
      if (hottest >= TOO_HOT_MILLIDEGREES) return failed(line)
      return hottest >= HOT_MILLIDEGREES ? warning(line) : ok(line)
    },
  },
  {
    id: 'power',
    asks: 'Is the power supply strong enough?',
    severity: 'some',
    why: 'Most damaged cards of Raspberry Pis come from weak power supplies.',
    remedy: 'Use the power supply made for this board, and a short cable.',
    view: 'machine',
    async look({ machine }, signal) {
      for (const device of await machine.list('/sys/class/hwmon')) {
        const name = (await machine.read(`/sys/class/hwmon/${device}/name`))?.trim()
        if (name !== 'rpi_volt') continue
        const alarm = Number(await machine.read(`/sys/class/hwmon/${device}/in0_lcrit_alarm`))
        return alarm === 1 ? failed('the voltage is too low now') : ok('the voltage is right')
      }
      const told = await machine.run('vcgencmd', ['get_throttled'], signal)
      const bits = Number(/throttled=(0x[0-9a-f]+)/i.exec(told?.stdout ?? '')?.[1])
      if (!Number.isFinite(bits)) return unknown('only a Raspberry Pi says so')
      // Raspberry Pi documentation, vcgencmd get_throttled: bit 0 now, bit 16 since the start.
      if ((bits & 1) !== 0) return failed('the voltage is too low now')
      return (bits & 0x10000) !== 0
        ? warning('the voltage was too low since the start')
        : ok('the voltage is right')
    },
  },
  {
    id: 'watchdog',
    asks: 'Does the hardware restart a box that hangs?',
    severity: 'later',
    why: 'Else somebody has to pull the plug.',
    // Asked of the image alone, which sets RuntimeWatchdogSec=.
    remedy: 'Read why it is not taken: `journalctl -b | grep -i watchdog`, and start the box anew.',
    view: 'machine',
    async look({ machine }) {
      const devices = await machine.list('/sys/class/watchdog')
      if (devices.length === 0) return unknown('this machine has no watchdog')
      for (const device of devices) {
        const state = (await machine.read(`/sys/class/watchdog/${device}/state`))?.trim()
        if (state === 'active') return ok(`${device} watches`)
      }
      return (await isAppliance(machine))
        ? warning('nobody feeds the watchdog')
        : ok('there is one, unused')
    },
  },
  {
    id: 'firewall',
    asks: 'Is the box closed to the internet, but for peers?',
    severity: 'some',
    why: 'An address of IPv6 is reached by everybody.',
    remedy:
      'Close it in the router, or here with nftables: the image and the Ansible role (btlinkd_firewall) bring rules, the package alone has none.',
    view: 'machine',
    async look({ machine }, signal) {
      const open = houseInterfaces().filter(({ address }) => reachOf(address) === 'public')
      if (open.length === 0) return ok('it has no address that the internet reaches')
      const rules = await machine.run('nft', ['list', 'ruleset'], signal)
      if (!rules || rules.code !== 0)
        return unknown('only root may look at the rules: `sudo btlinkd doctor`')
      const closed = closedFamilies(rules.stdout)
      const reached = open.filter(({ family }) => !closed.has(family))
      const addresses = reached.map(({ address }) => address)
      return reached.length === 0
        ? ok('what is not meant for the internet is refused')
        : warning(`${few(addresses, 2)} can be reached from the internet`)
    },
  },
  {
    id: 'log-errors',
    asks: 'Is the log quiet?',
    severity: 'later',
    why: 'Something fails again and again.',
    remedy: 'Read it: `journalctl -u "btlinkd-*" -p err --since -1h`.',
    view: 'machine',
    async look({ machine }, signal) {
      // By the priority: the journal takes it off our lines, which have no other word for it.
      const told = await machine.run(
        'journalctl',
        [...ERRORS_OF_AN_HOUR, '-n', '500', '-o', 'cat', '--no-pager', '-q'],
        signal,
      )
      if (!told || told.code !== 0) return unknown('there is no journal here that we may read')
      const faults = told.stdout.split('\n').filter((line) => line !== '')
      return faults.length > MANY_LOG_LINES
        ? warning(`${faults.length} faults in an hour, the last: ${faults.at(-1)?.slice(0, 100)}`)
        : ok(`${faults.length} faults in the last hour`)
    },
  },
  {
    id: 'update',
    asks: 'Did the last update stay?',
    severity: 'later',
    why: 'A box that fell back runs the version before, with its faults.',
    // The journal of the image is in memory.
    remedy:
      'It is not tried again by itself: wait for the next version, or let `btlinkd update apply` try it once more, and watch the screen, since its log goes with its start.',
    view: 'machine',
    async look({ machine }, signal) {
      if (!(await isAppliance(machine)))
        return ok('this machine is kept up to date by its own system')
      const running = await imageVersion(machine)
      const entries = [
        ...(await machine.list('/efi/EFI/Linux')),
        ...(await machine.list('/boot/EFI/Linux')),
      ]
      // The version that runs may be in its last try, or was left for the next start.
      const bad = entries
        .flatMap((name) => TRIED_IN_VAIN.exec(name)?.[1] ?? [])
        .filter((version) => version !== running)
      if (bad.length > 0)
        return warning(
          `${few(bad)} did not start, or was not well, and the version before took its place`,
        )
      const good = await machine.run('bootctl', ['status', '--no-pager'], signal)
      return good || entries.length > 0
        ? ok('the version that runs is the one that was chosen')
        : unknown('the boot partition cannot be read')
    },
  },
  {
    id: 'state-place',
    asks: 'Is the state on the data partition of the image?',
    severity: 'house',
    why: 'Without it everything is gone with the next start.',
    remedy: 'The data partition was not found: look at `lsblk -o NAME,PARTLABEL,MOUNTPOINTS`.',
    view: 'machine',
    async look({ machine, facts: { stateDir } }) {
      if (!(await isAppliance(machine))) return ok('this machine is none of our image')
      if (statfsSync(stateDir).type === TMPFS) return failed(`${stateDir} is in memory`)
      return statSync(stateDir).dev === statSync('/').dev
        ? failed(`${stateDir} is on the system's own disk image`)
        : ok('it is')
    },
  },
  {
    id: 'extensions',
    asks: 'Are the extensions of the system in force?',
    severity: 'later',
    why: 'Programs that were added to the box are not there.',
    remedy:
      'Put the file in /var/lib/extensions that was made for this version, and restart; or run `systemd-sysext refresh`.',
    view: 'machine',
    async look({ machine }, signal) {
      const files = (await machine.list('/var/lib/extensions')).slice(0, MAX_EXTENSIONS)
      const there = files.filter((name) => name.endsWith('.raw')).map((name) => name.slice(0, -4))
      if (there.length === 0) return ok('there are none')
      const told = await machine.run('systemd-sysext', ['status', '--json=short'], signal)
      if (told?.code !== 0) return unknown('there is no systemd-sysext here that says')
      // Names as strings of a list; nobody else's JSON is taken apart further.
      const idle = there.filter((name) => !told.stdout.includes(JSON.stringify(name)))
      return idle.length > 0
        ? warning(`${few(idle, 2)} is not in force: made for another version, or not merged`)
        : ok(few(there, 2))
    },
  },
]
