/** The disk below the state: room, health, and whether it keeps what it is given. */
import { randomBytes } from 'node:crypto'
import { open, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../base/errors.ts'
import { formatSize } from '../../base/units.ts'
import { type Check, failed, few, ok, unknown, warning } from './check.ts'
import { sweepable } from './leftovers.ts'

const SLOW_SYNC_MS = 3000
const FEW_INODES = 2000
/** Of an ordinary card 1 GB a day is years; what writes ten times that is not us, and ends it in months. */
const HEAVY_BYTES_A_DAY = 10 * 1024 ** 3
const DAY_SECONDS = 86_400
const SECTOR_BYTES = 512
const MIN_UPTIME_SECONDS = 3600

const WHY: Record<string, string> = {
  EROFS: 'the disk is mounted read-only, as Linux does after a fault of it',
  EACCES: 'it belongs to another user',
  EPERM: 'it belongs to another user',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  ENOENT: 'it is not there',
  ENOTDIR: 'something else has its name',
  EIO: 'the disk does not answer',
}

export const diskChecks: readonly Check[] = [
  {
    id: 'state-writable',
    asks: 'Can the box write to its state folder, and does the disk confirm it?',
    severity: 'house',
    why: 'Nothing new can be published, visited or remembered.',
    remedy:
      'Look for messages of the disk with `dmesg`; a card that became read-only is at its end: make a backup now.',
    view: 'machine',
    async look({ facts: { stateDir } }) {
      const probe = join(stateDir, `.tmp-${randomBytes(9).toString('base64url')}`)
      const begun = performance.now()
      try {
        const file = await open(probe, 'wx', 0o600)
        try {
          await file.writeFile('written by the doctor\n')
          await file.sync()
        } finally {
          await file.close()
        }
      } catch (error) {
        const code = codeOf(error) ?? messageOf(error)
        const isForeign = code === 'EACCES' && process.geteuid?.() !== 0
        return failed(
          `cannot write to ${stateDir}: ${WHY[code] ?? code}`,
          isForeign
            ? 'Run this as root or as the user of the daemon.'
            : code === 'ENOENT'
              ? 'Start the daemon, which makes it, or name the right folder with --state or state_dir.'
              : undefined,
        )
      } finally {
        await rm(probe, { force: true }).catch(() => undefined)
      }
      const ms = Math.round(performance.now() - begun)
      return ms > SLOW_SYNC_MS
        ? warning(`writing a line to the disk took ${ms / 1000} s`)
        : ok(`${stateDir} takes and keeps what is written`)
    },
  },
  {
    id: 'disk-space',
    asks: 'Is there room on the disk?',
    severity: 'house',
    why: 'A full disk takes no uploads, no new sites and no certificates.',
    remedy:
      'Unpin sites that nobody needs (`btlinkd sites`, `btlinkd unpin NAME`), or move the state to a larger disk.',
    fix: 'leftovers',
    view: 'machine',
    async look({ facts: { stateDir, diskLow } }) {
      const { bavail, bsize, blocks } = await statfs(stateDir)
      const free = bavail * bsize
      const line = `${formatSize(free)} of ${formatSize(blocks * bsize)} free`
      if (free < diskLow / 8) return failed(`the disk is full: ${line}`)
      return free < diskLow ? warning(`the disk is nearly full: ${line}`) : ok(line)
    },
  },
  {
    id: 'disk-inodes',
    asks: 'Can the disk hold more files?',
    severity: 'house',
    why: 'A disk without inodes is full, whatever room is left.',
    remedy: 'Find the folder with very many small files: `du --inodes -x / | sort -n | tail`.',
    fix: 'leftovers',
    view: 'machine',
    async look({ facts: { stateDir } }) {
      const { files, ffree } = await statfs(stateDir)
      // Some file systems make inodes as they are needed and count none.
      if (files === 0) return ok('the disk has no limit of files')
      const line = `room for ${ffree} more files`
      if (ffree === 0) return failed('the disk can hold no more files')
      return ffree < Math.min(FEW_INODES, files / 20) ? warning(`only ${line}`) : ok(line)
    },
  },
  {
    id: 'disk-errors',
    asks: 'Is the file system without recorded faults?',
    severity: 'house',
    why: 'A file system with faults loses files, or becomes read-only one day.',
    remedy:
      'Make a backup now, then check the file system at the next start, and replace the card if it comes back.',
    view: 'machine',
    async look({ machine }) {
      const faulty: string[] = []
      let seen = 0
      for (const device of await machine.list('/sys/fs/ext4')) {
        const errors = await machine.read(`/sys/fs/ext4/${device}/errors_count`)
        if (errors === undefined) continue
        seen++
        if (Number(errors) > 0) faulty.push(`${device} (${Number(errors)})`)
      }
      if (faulty.length > 0) return failed(`faults are recorded on ${few(faulty)}`)
      return seen === 0 ? unknown('no ext4 file system tells') : ok('no faults are recorded')
    },
  },
  {
    id: 'disk-wear',
    asks: 'Will the card or disk live for long?',
    severity: 'later',
    why: 'Cards and flash end after a number of writes, mostly without a warning.',
    remedy: 'Make a backup, and have a new card ready; on a Raspberry Pi a USB disk lives longer.',
    view: 'machine',
    async look({ machine }) {
      const uptime = Number((await machine.read('/proc/uptime'))?.split(' ')[0] ?? 0)
      const seen: string[] = []
      for (const device of await machine.list('/sys/block')) {
        if (/^(?:loop|ram|zram|dm-|sr|fd|ubd)/.test(device)) continue
        const life = (await machine.read(`/sys/block/${device}/device/life_time`))?.trim()
        // JEDEC eMMC 5.1, EXT_CSD 268 and 269: tenths of the lifetime used up, 0x0b is beyond it.
        const tenths = Math.max(0, ...(life ?? '').split(/\s+/).map(Number).filter(Number.isFinite))
        if (tenths >= 9)
          return warning(`${device} has used ${Math.min(tenths, 10) * 10} % of its life`)
        const end = Number(await machine.read(`/sys/block/${device}/device/pre_eol_info`))
        // EXT_CSD 267: 2 is 80 % of the reserve used, 3 is 90 %.
        if (end >= 2) return warning(`${device} has little of its reserve left`)
        // Documentation/block/stat.rst: the seventh number is sectors written, 512 bytes each.
        const sectors = Number(
          (await machine.read(`/sys/block/${device}/stat`))?.trim().split(/\s+/)[6],
        )
        if (!Number.isFinite(sectors) || uptime < MIN_UPTIME_SECONDS) continue
        const daily = (sectors * SECTOR_BYTES * DAY_SECONDS) / uptime
        if (daily > HEAVY_BYTES_A_DAY && device.startsWith('mmcblk')) {
          return warning(`${formatSize(daily)} a day are written to ${device}`)
        }
        seen.push(`${device} ${formatSize(daily)} a day`)
      }
      return seen.length > 0 ? ok(`written: ${few(seen)}`) : unknown('no disk tells')
    },
  },
  {
    id: 'leftovers',
    asks: 'Is the state folder free of what crashes left half done?',
    severity: 'later',
    why: 'It takes room and is of no use.',
    remedy: 'Let `btlinkd doctor --fix` remove it.',
    fix: 'leftovers',
    view: 'machine',
    async look({ facts, clock }, signal) {
      const left = await sweepable(facts, clock.now(), signal)
      if (left.length === 0) return ok('nothing is left half done')
      const bytes = left.reduce((sum, one) => sum + one.bytes, 0)
      return warning(`${left.length} unfinished files, ${formatSize(bytes)}`)
    },
  },
  {
    id: 'state-alone',
    asks: 'Is the state on a disk that stays?',
    severity: 'house',
    why: 'A state in memory is gone with the next power cut: keys, names, certificates.',
    remedy: 'Name a folder on a disk with state_dir.',
    view: 'machine',
    async look({ facts: { stateDir } }) {
      await stat(stateDir)
      const { type } = await statfs(stateDir)
      // linux/magic.h: TMPFS_MAGIC, RAMFS_MAGIC.
      return type === 0x01021994 || type === 0x858458f6
        ? warning(`${stateDir} is in memory, not on a disk`)
        : ok('the state is on a disk')
    },
  },
]
