import assert from 'node:assert/strict'
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fatOf, hybridMbr } from '../../image/hybrid-mbr.ts'
import { PI_BOARDS, piProblems, piSettings, piStages } from '../../image/pi-card.ts'
import { missing, output } from '../support/processes.ts'
import { read } from '../support/sources.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'

const SFDISK = '/usr/sbin/sfdisk'
const skip = missing(SFDISK, '/usr/bin/mformat', '/usr/bin/mcopy', '/usr/bin/mdir')
const PROFILE = 'image/mkosi/mkosi.profiles/rpi'
const CONFIG = read(`${PROFILE}/mkosi.extra/boot/config.txt`)
const ESP_SECTORS = 40 * 2048

/** A disk with a GPT: an ESP at 1 MiB, with FAT32 and these files, and a partition after it. */
async function card(t: Cleanup, files: Record<string, string>): Promise<string> {
  const folder = await tempFolder(t)
  const disk = join(folder, 'card.img')
  await writeFile(disk, '')
  await truncate(disk, 48 * 1024 * 1024)
  const table = join(folder, 'table')
  await writeFile(table, `label: gpt\nstart=2048,size=${ESP_SECTORS},type=U\nsize=2048,type=L\n`)
  await output('/bin/sh', ['-c', `${SFDISK} -q "$1" < "$2"`, 'sh', disk, table])
  const fat = `${disk}@@1M`
  await output('mformat', ['-F', '-T', String(ESP_SECTORS), '-i', fat, '::'])
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, 'card', dirname(name)), { recursive: true })
    await writeFile(join(folder, 'card', name), text)
  }
  await output('/bin/sh', ['-c', `mcopy -s -i "$1" "$2"/* ::/`, 'sh', fat, join(folder, 'card')])
  return disk
}

const WHOLE: Record<string, string> = {
  'config.txt': CONFIG,
  'u-boot.bin': 'U-Boot',
  'EFI/BOOT/BOOTAA64.EFI': 'boot loader',
  'EFI/Linux/btlinkd_0.1.0+3.efi': 'kernel',
  ...Object.fromEntries(PI_BOARDS.flatMap(({ files }) => files.map((name) => [name, name]))),
}

describe('a card for Raspberry Pi (R03)', { skip }, () => {
  it('is found by the boot code of a Pi 3: FAT32 as the first entry of an MBR', async (t) => {
    const disk = await card(t, WHOLE)
    assert.deepEqual(await piProblems(disk), ['no MBR whose first entry is a FAT32 partition (0c)'])
    await hybridMbr(disk)
    assert.deepEqual(await piProblems(disk), [])
    const place = { first: 2048, sectors: ESP_SECTORS }
    assert.deepEqual(await fatOf(disk), { byGpt: place, byMbr: place })
    // Linux, is_pmbr_valid in block/partitions/efi.c: an entry of type EE that begins at sector 1.
    const entry = (await readFile(disk)).subarray(446 + 16)
    assert.equal(entry[4], 0xee)
    assert.equal(entry.readUInt32LE(8), 1)
  })

  it('has the same GPT as before, for all who read that', async (t) => {
    const disk = await card(t, WHOLE)
    const before = JSON.parse(await output(SFDISK, ['--json', disk])) as { partitiontable: object }
    assert.match(JSON.stringify(before), /"label":"gpt"/)
    await hybridMbr(disk)
    const after = JSON.parse(await output(SFDISK, ['--json', disk])) as { partitiontable: object }
    assert.deepEqual(after, before)
  })

  it('is refused where a disk has no GPT, or no ESP first', async (t) => {
    const folder = await tempFolder(t)
    const disk = join(folder, 'disk.img')
    await writeFile(disk, Buffer.alloc(4096))
    await assert.rejects(hybridMbr(disk), /no GPT/)
    await writeFile(disk, 'short')
    await assert.rejects(hybridMbr(disk), /ends before/)
  })

  it('has what config.txt names, for each board', async (t) => {
    const { 'bcm2837-rpi-zero-2-w.dtb': _, 'u-boot.bin': __, ...rest } = WHOLE
    const disk = await card(t, { ...rest, 'config.txt': CONFIG.replace('upstream_kernel=1', '') })
    await hybridMbr(disk)
    assert.deepEqual(await piProblems(disk), [
      'config.txt does not say upstream_kernel=1',
      'no u-boot.bin, which config.txt starts',
      'Pi Zero 2 W: no bcm2837-rpi-zero-2-w.dtb',
    ])
  })

  it('gives QEMU its own U-Boot and device tree, without the watchdog', async (t) => {
    const tree = 'bcm2837-rpi-3-b.dtb'
    const disk = await card(t, { ...WHOLE, [tree]: 'a\0brcm,bcm2835-pm-wdt\0b' })
    const folder = await tempFolder(t)
    assert.deepEqual(await piStages(disk, folder), [
      '-kernel',
      join(folder, 'u-boot.bin'),
      '-dtb',
      join(folder, 'pi.dtb'),
    ])
    assert.equal(await output('cat', [join(folder, 'pi.dtb')]), 'a\0none,bcm2835-pm-wdt\0b')
  })
})

describe('the profile for Raspberry Pi (R03)', () => {
  it('says in config.txt what starts U-Boot on all boards', () => {
    const settings = piSettings(CONFIG)
    assert.equal(settings.get('kernel'), 'u-boot.bin')
    assert.equal(settings.get('arm_64bit'), '1')
    assert.deepEqual(
      [...piSettings('[pi4]\nkernel=other\n[all]\r\nenable_uart=1\n')],
      [['enable_uart', '1']],
    )
  })

  it('copies every file that a board reads', () => {
    const script = read(`${PROFILE}/mkosi.postinst.chroot`)
    for (const { name, files } of PI_BOARDS) {
      for (const file of files) assert.ok(script.includes(` ${file} `), `${name}: ${file}`)
    }
  })
})
