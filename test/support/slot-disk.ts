/**
 * A machine with slots as far as systemd-sysupdate sees one: a GPT disk image with two slots, a folder as
 * its EFI system partition, and trixie's systemd-sysupdate with its libraries. Nothing is booted. Needs
 * root, mmdebstrap and Debian's mirror.
 */
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSlots, type SlotsOptions } from '../../src/engines/slots/slots.ts'
import { compareVersions } from '../../src/services/update/version.ts'
import { output } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'

export const SLOT_DISK_NEEDS = ['/usr/bin/mmdebstrap', '/usr/sbin/sfdisk']
const ROOT_TYPE = '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709'
const VERITY_TYPE = '2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5'

/** Programs of trixie unpacked without being installed: some hundred megabytes, kept while tests run. */
export async function trixieTree(): Promise<string> {
  const tree = join(tmpdir(), 'btl-trixie-sysupdate')
  const has = await readdir(tree).catch(() => [])
  if (has.length > 0) return tree
  const fresh = `${tree}.${process.pid}`
  const packages = 'systemd-container,util-linux,coreutils,bash'
  await output(
    'mmdebstrap',
    ['--quiet', '--variant=extract', `--include=${packages}`, 'trixie', fresh],
    { timeoutMs: 240_000 },
  )
  await mkdir(join(fresh, 'machine'), { recursive: true })
  await rename(fresh, tree)
  return tree
}

const transfer = (source: string, target: string) => `[Transfer]
ProtectVersion=0.1.0
Verify=no
[Source]
Type=regular-file
Path=/machine/updates
${source}
[Target]
${target}
`

export interface SlotDisk {
  options: SlotsOptions
  /** `sfdisk --dump` of the disk. */
  table(): Promise<string>
  /** Bytes of the partition with this label. */
  partition(label: string): Promise<Buffer>
  readonly folder: string
}

/** @param rootBytes of a root partition; the verity partition has 1 MiB */
export async function slotDisk(
  t: Cleanup,
  { rootMib = 8, runs = Buffer.alloc(0) }: { rootMib?: number; runs?: Uint8Array } = {},
): Promise<SlotDisk> {
  const tree = await trixieTree()
  const folder = await tempFolder(t, 'machine')
  const path = (...parts: string[]) => join(folder, ...parts)
  for (const one of ['updates', 'defs', 'esp/EFI/Linux', 'by-partlabel'])
    await mkdir(path(one), { recursive: true })
  const disk = path('disk.raw')
  await output('truncate', ['-s', `${(rootMib + 1) * 2 + 8}M`, disk])
  const part = (mib: number, type: string, name: string) =>
    `size=${mib}M, type=${type}, name=${name}\n`
  await output('/usr/sbin/sfdisk', ['--quiet', disk], {
    input:
      'label: gpt\n' +
      part(rootMib, ROOT_TYPE, 'btlinkd_0.1.0') +
      part(1, VERITY_TYPE, 'btlinkd_0.1.0_v') +
      part(rootMib, ROOT_TYPE, '_empty') +
      part(1, VERITY_TYPE, '_empty'),
  })
  await writeFile(path('running.raw'), runs)
  await output('dd', [`if=${path('running.raw')}`, `of=${disk}`, 'bs=1M', 'seek=1', 'conv=notrunc'])
  await symlink(path('running.raw'), path('by-partlabel', 'btlinkd_0.1.0'))
  await writeFile(path('esp/EFI/Linux/btlinkd_0.1.0.efi'), 'kernel of 0.1.0')
  await writeFile(path('os-release'), 'NAME="btlinkd"\nIMAGE_ID=btlinkd\nIMAGE_VERSION=0.1.0\n')
  await writeFile(path('flavour'), 'pc\n')
  const partitionOf = (type: string, label: string) =>
    `Type=partition\nPath=/machine/disk.raw\nMatchPattern=${label}\nMatchPartitionType=${type}\nPartitionFlags=0\nReadOnly=1`
  const defs: Record<string, string> = {
    '10-verity': transfer(
      'MatchPattern=btlinkd_@v.verity.@u.raw',
      partitionOf('root-verity', 'btlinkd_@v_v'),
    ),
    '20-root': transfer('MatchPattern=btlinkd_@v.root.@u.raw', partitionOf('root', 'btlinkd_@v')),
    '30-uki': transfer(
      'MatchPattern=btlinkd_@v.efi',
      'Type=regular-file\nPath=/machine/esp/EFI/Linux\nMatchPattern=btlinkd_@v+@l-@d.efi btlinkd_@v+@l.efi btlinkd_@v.efi\nMode=0444\nTriesLeft=2\nTriesDone=0\nInstancesMax=2',
    ),
  }
  for (const [name, text] of Object.entries(defs))
    await writeFile(path('defs', `${name}.transfer`), text)
  // A mount namespace of its own: nothing is left mounted, however it ends.
  const enter =
    'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --rbind /sys "$0/sys" && ' +
    'mount --rbind "$1" "$0/machine" && tree=$0 && shift && exec chroot "$tree" "$@"'
  return {
    folder,
    options: {
      osRelease: path('os-release'),
      flavour: path('flavour'),
      esp: [path('nowhere'), path('esp')],
      partitions: path('by-partlabel'),
      folder: path('updates'),
      sysupdate: [
        'unshare',
        '-m',
        'sh',
        '-c',
        enter,
        tree,
        folder,
        '/usr/lib/systemd/systemd-sysupdate',
        '--definitions=/machine/defs',
      ],
      systemctl: ['true'],
    },
    table: () => output('/usr/sbin/sfdisk', ['--dump', disk]),
    async partition(label) {
      const line = (await output('/usr/sbin/sfdisk', ['--dump', disk]))
        .split('\n')
        .find((one) => one.includes(`name="${label}"`))
      const [, start, size] = /start=\s*(\d+), size=\s*(\d+)/.exec(line ?? '') ?? []
      const copy = path('partition')
      await output('dd', [`if=${disk}`, `of=${copy}`, 'bs=512', `skip=${start}`, `count=${size}`])
      const bytes = await readFile(copy)
      await rm(copy)
      return bytes
    },
  }
}

/** The engine on it. */
export const slotsOf = ({ options }: SlotDisk) => createSlots({ compare: compareVersions }, options)
