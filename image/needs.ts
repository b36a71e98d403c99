/** What building an image needs of the machine at hand, asked before anything is begun. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { arch, getuid } from 'node:process'
import { promisify } from 'node:util'
import type { FlavourFacts } from './flavours.ts'

const run = promisify(execFile)

// Program, and the Debian package that brings it.
const PROGRAMS: [string, string][] = [
  ['/usr/bin/mmdebstrap', 'mmdebstrap'],
  ['/usr/bin/unshare', 'util-linux'],
  ['/usr/sbin/pivot_root', 'util-linux'],
  ['/usr/bin/xz', 'xz-utils'],
  ['/usr/bin/zstd', 'zstd'],
  ['/usr/bin/minisign', 'minisign'],
  ['/usr/bin/dpkg-deb', 'dpkg'],
  ['/usr/share/keyrings/debian-archive-keyring.gpg', 'debian-archive-keyring'],
]
const BINFMT = '/proc/sys/fs/binfmt_misc/qemu-aarch64'
const MIN_FREE_BYTES = 8e9

/** One line for each thing that is missing, each with its cure; empty when the image can be built. */
export async function missingFor({ architecture }: FlavourFacts, cache: string): Promise<string[]> {
  const lines: string[] = []
  if (getuid?.() !== 0) lines.push('root: mmdebstrap and mkosi make mounts of their own; use sudo')
  const absent = PROGRAMS.filter(([file]) => !existsSync(file))
  if (absent.length > 0) {
    const packages = [...new Set(absent.map(([, name]) => name))].join(' ')
    lines.push(`programs: apt-get install ${packages}`)
  }
  if (architecture === 'arm64' && arch !== 'arm64' && !(await emulatesArm())) {
    lines.push(
      'programs of arm64 do not run here: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc && apt-get install qemu-user-static binfmt-support',
    )
  }
  const free = await freeBytes(cache)
  if (free < MIN_FREE_BYTES) {
    lines.push(`room: ${(free / 1e9).toFixed(1)} GB free at ${cache}, 8 GB are used while building`)
  }
  return lines
}

async function emulatesArm(): Promise<boolean> {
  if (!existsSync(BINFMT)) return false
  const text = await readFile(BINFMT, 'utf8')
  // Without F the interpreter would have to be inside of the image.
  return text.startsWith('enabled') && /^flags:.*F/m.test(text)
}

async function freeBytes(folder: string): Promise<number> {
  const there = existsSync(folder) ? folder : '/var'
  const { stdout } = await run('df', ['--output=avail', '-B1', there])
  return Number(stdout.trim().split('\n').at(-1))
}
