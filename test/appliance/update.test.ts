/**
 * Updates on a machine's disk: real releases, real signatures, systemd-sysupdate of trixie on a real GPT
 * disk image. What is not real here is the boot: who counts tries and falls back is systemd-boot, which
 * `npm run proof:update` shows on the whole image.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { folderSource } from '../../src/services/update/source-file.ts'
import { createUpdater } from '../../src/services/update/updater.ts'
import { slotsCompliance } from '../compliance/slots.ts'
import { missing, output } from '../support/processes.ts'
import { builtImage, slotNames, type Vendor, vendor } from '../support/releases.ts'
import { SLOT_DISK_NEEDS, type SlotDisk, slotDisk, slotsOf } from '../support/slot-disk.ts'
import { ROOT } from '../support/sources.ts'
import { type Cleanup, finallyDo, tempFolder } from '../support/temp.ts'

const skip = missing(...SLOT_DISK_NEEDS, '/usr/bin/minisign')
const signal = new AbortController().signal
const MIB = 1024 * 1024
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

slotsCompliance(
  'systemd-sysupdate on a disk image',
  async (t) => {
    const disk = await slotDisk(t)
    return {
      slots: slotsOf(disk),
      deliver: async (version) =>
        void (await builtImage(disk.options.folder, version, {
          root: Buffer.alloc(MIB, version),
        })),
    }
  },
  { skip },
)

interface Bench {
  disk: SlotDisk
  signer: Vendor
  running: Buffer
  fresh: Buffer
  /** 0.2.0, with a pack from 0.1.0. */
  release: string
  folder: string
  install(release: string, options?: { allowDowngrade?: boolean }): Promise<string>
  /** What boots if the power goes now, by the boot loader's rules: the newest with tries, else any. */
  boots(): Promise<string[]>
  /** The running slot is as it was, to the bit. */
  runningIsIntact(): Promise<void>
}

async function bench(t: Cleanup, runsMib = 6): Promise<Bench> {
  const folder = await tempFolder(t, 'release')
  const path = (name: string) => join(folder, name)
  const running = randomBytes(runsMib * MIB)
  const fresh = Buffer.concat([
    running.subarray(0, 2 * MIB),
    randomBytes(MIB),
    running.subarray(2 * MIB),
  ])
  const disk = await slotDisk(t, { runs: running })
  const before = sha256(await disk.partition('btlinkd_0.1.0'))
  const signer = await vendor(t)
  const earlier = await builtImage(path('0.1.0'), '0.1.0', { root: running })
  const built = await builtImage(path('0.2.0'), '0.2.0', { root: fresh, kernel: randomBytes(MIB) })
  const release = await signer.release(built, path('release'), {
    earlier: [earlier],
    packsOnly: true,
  })
  const slots = slotsOf(disk)
  const updater = createUpdater(
    { slots, key: signer.key, machine: await slots.image() },
    { fetchFolder: path('fetched'), installFolder: disk.options.folder },
  )
  const entries = join(disk.folder, 'esp/EFI/Linux')
  return {
    disk,
    signer,
    running,
    fresh,
    release,
    folder,
    install: (from, options = {}) => updater.install(folderSource(from), options, signal),
    async boots() {
      const names = (await readdir(entries)).filter((name) => /^btlinkd_.*\.efi$/.test(name))
      const hasTries = (name: string) => !/\+0(-\d+)?\.efi$/.test(name)
      return names.filter(hasTries).sort().toReversed()
    },
    async runningIsIntact() {
      assert.equal(sha256(await disk.partition('btlinkd_0.1.0')), before)
    },
  }
}

describe('R19 an update on a disk', { skip }, () => {
  it('makes the other slot the very root that was built, from the blocks of the running one', async (t) => {
    const one = await bench(t)
    assert.equal(await one.install(one.release), '0.2.0')
    const written = await one.disk.partition('btlinkd_0.2.0')
    assert.ok(written.subarray(0, one.fresh.length).equals(one.fresh))
    const names = slotNames('0.2.0')
    const digits = /\.root\.([0-9a-f]{32})\./.exec(names.root)?.[1] ?? ''
    const uuid = digits.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')
    assert.match(await one.disk.table(), new RegExp(`uuid=${uuid}, name="btlinkd_0.2.0"`))
    assert.deepEqual(await one.boots(), ['btlinkd_0.2.0+2-0.efi', 'btlinkd_0.1.0.efi'])
    await one.runningIsIntact()
    // Nothing of half a gigabyte stays behind.
    assert.deepEqual(await readdir(one.disk.options.folder), ['notes.json'])
  })

  it('with a kernel that the power cut left empty is incomplete, and goes in after', async (t) => {
    const one = await bench(t)
    const slots = slotsOf(one.disk)
    await one.install(one.release)
    const kernel = await slots.fileOf('kernel', '0.2.0')
    const whole = await readFile(kernel ?? '')
    await writeFile(kernel ?? '', '')
    const [torn] = await slots.slots(signal)
    assert.deepEqual([torn?.version, torn?.boot], ['0.2.0', 'incomplete'])
    assert.equal(await one.install(one.release), '0.2.0')
    assert.ok((await readFile(kernel ?? '')).equals(whole))
    const [mended] = await slots.slots(signal)
    assert.deepEqual([mended?.version, mended?.boot], ['0.2.0', 'trying'])
  })

  it('is refused unsigned or older, and the disk is not touched', async (t) => {
    const one = await bench(t)
    const table = await one.disk.table()
    const stranger = await vendor(t)
    const forged = await stranger.release(join(one.folder, '0.2.0'), join(one.folder, 'forged'))
    await assert.rejects(one.install(forged), { code: 'BTL_ERR_UPDATE_BAD_SIGNATURE' })
    const old = await builtImage(join(one.folder, '0.0.9'), '0.0.9', {
      root: Buffer.alloc(MIB, 'o'),
    })
    const older = await one.signer.release(old, join(one.folder, 'older'))
    await assert.rejects(one.install(older), { code: 'BTL_ERR_UPDATE_NOT_FOR_US' })
    assert.equal(await one.disk.table(), table)
    // Asked for in so many words it goes in, and boots next.
    await one.install(older, { allowDowngrade: true })
    assert.ok((await one.boots()).includes('btlinkd_0.0.9+2-0.efi'))
  })

  it('with a full boot partition says so, and both disk and boot partition stay as they are', async (t) => {
    const one = await bench(t)
    const esp = join(one.disk.folder, 'esp')
    await output('mount', ['-t', 'tmpfs', '-o', 'size=1M', 'esp', esp])
    finallyDo(t, async () => void (await output('umount', [esp])))
    await mkdir(join(esp, 'EFI/Linux'), { recursive: true })
    await writeFile(join(esp, 'EFI/Linux/btlinkd_0.1.0.efi'), 'kernel of 0.1.0')
    await writeFile(join(esp, 'holiday.jpg'), Buffer.alloc(900 * 1024))
    const table = await one.disk.table()
    await assert.rejects(one.install(one.release), { code: 'BTL_ERR_SLOTS_NO_ROOM_ON_ESP' })
    assert.equal(await one.disk.table(), table)
    assert.deepEqual(await one.boots(), ['btlinkd_0.1.0.efi'])
    await rm(join(esp, 'holiday.jpg'))
  })

  it('with a full data partition says so before it writes', async (t) => {
    const one = await bench(t)
    const { folder } = one.disk.options
    await output('mount', ['-t', 'tmpfs', '-o', 'size=8M', 'updates', folder])
    finallyDo(t, async () => void (await output('umount', [folder])))
    const table = await one.disk.table()
    await assert.rejects(one.install(one.release), { code: 'BTL_ERR_UPDATE_NO_ROOM' })
    assert.equal(await one.disk.table(), table)
  })

  it('cut at any moment leaves the running slot as it is and nothing half that boots, and goes in after', async (t) => {
    const one = await bench(t)
    const order = JSON.stringify({
      options: one.disk.options,
      release: one.release,
      publicKey: one.signer.keys.publicKey,
    })
    const begin = () =>
      spawn(process.execPath, [join(ROOT, 'test/support/update-child.ts'), order], {
        stdio: ['ignore', 'pipe', 'inherit'],
        // Its own group: the cut takes systemd-sysupdate along.
        detached: true,
      })
    let cuts = 0
    for (let waitMs = 0; ; waitMs += 25) {
      const child = begin()
      const ended = once(child, 'exit')
      let said = ''
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
      await once(child.stdout, 'data')
      await sleep(waitMs)
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL')
      } catch {
        // It had ended.
      }
      await ended
      await one.runningIsIntact()
      const boots = await one.boots()
      assert.ok(boots.includes('btlinkd_0.1.0.efi'))
      if (boots.some((name) => name.startsWith('btlinkd_0.2.0'))) {
        // What boots is whole: its kernel comes last.
        const written = await one.disk.partition('btlinkd_0.2.0')
        assert.ok(written.subarray(0, one.fresh.length).equals(one.fresh))
      }
      if (said.includes('installed')) break
      cuts++
      assert.ok(waitMs < 20_000, said)
    }
    t.diagnostic(`${cuts} cuts before it went in`)
    assert.ok(cuts >= 3)
    assert.equal(await one.install(one.release), '0.2.0')
    assert.deepEqual(await one.boots(), ['btlinkd_0.2.0+2-0.efi', 'btlinkd_0.1.0.efi'])
  })
})
