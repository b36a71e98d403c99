/**
 * A card as the firmware of a Raspberry Pi reads it: the MBR, the FAT partition, config.txt, and what these
 * name, up to U-Boot, systemd-boot and the kernel image. QEMU has no such firmware, so this stands for it.
 * @see https://www.raspberrypi.com/documentation/computers/config_txt.html
 */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fatOf } from './hybrid-mbr.ts'

const run = promisify(execFile)

// With 16 MB for it the firmware takes its smaller self. A Pi 4 has its first stage in ROM, a Pi 5 all of it.
const BEFORE_4 = ['bootcode.bin', 'start_cd.elf', 'fixup_cd.dat', 'start.elf', 'fixup.dat']
const OF_4 = ['start4cd.elf', 'fixup4cd.dat', 'start4.elf', 'fixup4.dat']

/** What each board reads beside config.txt and what that names: device trees by upstream's names. */
export const PI_BOARDS: readonly { name: string; files: string[] }[] = [
  { name: 'Pi 3 A+', files: [...BEFORE_4, 'bcm2837-rpi-3-a-plus.dtb'] },
  { name: 'Pi 3 B', files: [...BEFORE_4, 'bcm2837-rpi-3-b.dtb'] },
  { name: 'Pi 3 B+', files: [...BEFORE_4, 'bcm2837-rpi-3-b-plus.dtb'] },
  { name: 'Pi Zero 2 W', files: [...BEFORE_4, 'bcm2837-rpi-zero-2-w.dtb'] },
  { name: 'Pi 4 B', files: [...OF_4, 'bcm2711-rpi-4-b.dtb'] },
  { name: 'Pi 400', files: [...OF_4, 'bcm2711-rpi-400.dtb'] },
  { name: 'Pi 5', files: ['bcm2712-rpi-5-b.dtb', 'bcm2712-d-rpi-5-b.dtb'] },
]

// `arm_64bit`: U-Boot is of 64 bits. `upstream_kernel`: device trees have the names above.
const SETTINGS = { arm_64bit: '1', upstream_kernel: '1', enable_uart: '1', gpu_mem: '16' }
const LOADER = 'EFI/BOOT/BOOTAA64.EFI'
const KERNEL = /^EFI\/Linux\/btlinkd_[^/]+\.efi$/i

/** Settings of a config.txt that hold for every board. */
export function piSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>()
  let forAll = true
  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    const filter = /^\[(.+)\]$/.exec(line)?.[1]
    if (filter !== undefined) forAll = filter === 'all'
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? []
    if (forAll && name !== undefined && value !== undefined) settings.set(name, value)
  }
  return settings
}

/** What keeps a board from starting from this disk image, one line each; needs mtools. */
export async function piProblems(disk: string): Promise<string[]> {
  const { byMbr, byGpt } = await fatOf(disk)
  if (!byMbr) return ['no MBR whose first entry is a FAT32 partition (0c)']
  if (byMbr.first !== byGpt.first || byMbr.sectors !== byGpt.sectors) {
    return [`the MBR's first entry begins at sector ${byMbr.first}, the ESP at ${byGpt.first}`]
  }
  const fat = `${disk}@@${byMbr.first * 512}`
  const there = await filesOf(fat)
  const has = (name: string) => there.has(name.toLowerCase())
  if (!has('config.txt')) return ['no config.txt']
  const problems: string[] = []
  const settings = piSettings((await run('mtype', ['-i', fat, '::/config.txt'])).stdout)
  for (const [name, value] of Object.entries(SETTINGS)) {
    if (settings.get(name) !== value) problems.push(`config.txt does not say ${name}=${value}`)
  }
  const kernel = settings.get('kernel') ?? 'kernel8.img'
  if (!has(kernel)) problems.push(`no ${kernel}, which config.txt starts`)
  if (!has(LOADER)) problems.push(`no ${LOADER}, which U-Boot starts`)
  if (![...there].some((name) => KERNEL.test(name))) problems.push('no kernel image in EFI/Linux')
  for (const { name, files } of PI_BOARDS) {
    const missing = files.filter((one) => !has(one))
    if (missing.length > 0) problems.push(`${name}: no ${missing.join(', ')}`)
  }
  return problems
}

/** Every file of a FAT file system, in lower case and without a leading slash. */
async function filesOf(fat: string): Promise<Set<string>> {
  const { stdout } = await run('mdir', ['-/', '-b', '-i', fat, '::/'], { maxBuffer: 8e6 })
  return new Set(stdout.split('\n').map((line) => line.replace(/^::\//, '').toLowerCase()))
}

/**
 * Words for QEMU's raspi3b in place of the firmware: U-Boot and the device tree of the card itself, put into
 * `folder`. QEMU's board resets when its watchdog is armed, so the tree does not have one.
 */
export async function piStages(disk: string, folder: string): Promise<string[]> {
  const tree = join(folder, 'pi.dtb')
  const loader = join(folder, 'u-boot.bin')
  const fat = `${disk}@@${(await fatOf(disk)).byGpt.first * 512}`
  await run('mcopy', ['-n', '-i', fat, '::/bcm2837-rpi-3-b.dtb', tree])
  await run('mcopy', ['-n', '-i', fat, '::/u-boot.bin', loader])
  const bytes = await readFile(tree, 'latin1')
  await writeFile(tree, bytes.replaceAll('brcm,bcm2835-pm', 'none,bcm2835-pm'), 'latin1')
  return ['-kernel', loader, '-dtb', tree]
}
