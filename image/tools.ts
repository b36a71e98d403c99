/**
 * The tools tree: a Debian trixie with mkosi and systemd's image tools, since those of the machine at hand
 * may be older. Programs run in it by unshare and pivot_root: mkosi wants `/` to be a mount point.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { env } from 'node:process'

/** Kept between builds: the tools tree and mkosi's base trees. Some 2 GB. */
export const CACHE = env['BTLINKD_IMAGE_CACHE'] ?? '/var/cache/btlinkd-image'
export const MIRROR = env['BTLINKD_DEBIAN_MIRROR'] ?? 'http://deb.debian.org'

const PACKAGES = [
  'ca-certificates',
  'cpio',
  'cryptsetup-bin',
  'debian-archive-keyring',
  'dosfstools',
  'e2fsprogs',
  'erofs-utils',
  'fdisk',
  'gdisk',
  'kmod',
  'mkosi',
  'mtools',
  'python3-pefile',
  'reprepro',
  'systemd',
  'systemd-boot-tools',
  'systemd-container',
  'systemd-repart',
  'systemd-ukify',
  'xz-utils',
  'zstd',
]
const WITHOUT = ['doc', 'man', 'locale'].map((name) => `path-exclude=/usr/share/${name}/*`)

export interface Output {
  /** Lines of progress; programs write theirs to stderr. */
  say: (line: string) => void
}

/** Runs a program to its end, its output on our stderr; fails when it does. */
export async function must(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<void> {
  const child = spawn(command, args, {
    ...options,
    env: options.env ?? env,
    stdio: ['ignore', 2, 2],
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`${command} ended with ${code}: see above`)
}

/** The tools tree, made where this machine has none of this kind yet. */
export async function toolsTree({ say }: Output): Promise<string> {
  const kind = createHash('sha256')
    .update(JSON.stringify([PACKAGES, WITHOUT]))
    .digest('hex')
  const tree = join(CACHE, `tools-${kind.slice(0, 12)}`)
  if (existsSync(tree)) return tree
  say(`making the tools tree in ${tree} (mmdebstrap, Debian trixie, 300 MB)`)
  await mkdir(CACHE, { recursive: true })
  const half = `${tree}.half`
  await rm(half, { recursive: true, force: true })
  const options = WITHOUT.map((line) => `--dpkgopt=${line}`)
  const what = [`--include=${PACKAGES.join(',')}`, 'trixie', half, `${MIRROR}/debian`]
  const kept = ['--variant=apt', '--mode=root', '--format=directory', ...options]
  await must('mmdebstrap', ['--quiet', ...kept, ...what])
  await rename(half, tree)
  return tree
}

// $1 is the tree, the rest the command; folders of $BINDS are seen at the same place inside.
const ENTER = `set -eu
tree=$1; shift
mount --make-rprivate /
mount --bind "$tree" "$tree"
for folder in proc sys dev; do mkdir -p "$tree/$folder"; mount --rbind "/$folder" "$tree/$folder"; done
mount -t tmpfs tmpfs "$tree/run"
for folder in $BINDS; do mkdir -p "$tree$folder"; mount --bind "$folder" "$tree$folder"; done
cat /etc/resolv.conf > "$tree/run/resolv.conf"
touch "$tree/etc/resolv.conf"
mount --bind "$tree/run/resolv.conf" "$tree/etc/resolv.conf"
cd "$tree"
mkdir -p .old
pivot_root . .old
umount -l /.old
cd "$WORKING"
exec "$@"
`

/**
 * Runs a program in the tools tree, in a mount namespace that goes with it.
 * @param binds folders of this machine, without spaces in their names, that it sees under the same names
 * @param beside others may run at the same time: for programs that keep nothing in the cache
 */
export async function inTools(
  tree: string,
  command: string[],
  options: {
    binds: string[]
    cwd: string
    environment?: Record<string, string>
    beside?: boolean
  },
): Promise<void> {
  // One at a time on a machine: mkosi does not guard what it keeps.
  const enter = ['unshare', '--mount', '/bin/sh', '-c', ENTER, 'enter', tree, ...command]
  const alone = ['flock', '--close', join(CACHE, 'lock')]
  await must('env', options.beside === true ? enter : [...alone, ...enter], {
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LANG: 'C.UTF-8',
      TERM: 'dumb',
      ...options.environment,
      BINDS: options.binds.join(' '),
      WORKING: options.cwd,
    },
  })
}
