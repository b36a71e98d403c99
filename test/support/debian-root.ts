/**
 * Debian systems of a test's own: a root made once by mmdebstrap and kept below the system's temporary
 * folder, copies of it by overlay that go with the test, and systemd booted in them by systemd-nspawn
 * with a network of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missing, output, type RunOptions, type RunResult, run } from './processes.ts'
import { type Cleanup, finallyDo } from './temp.ts'
import { until } from './until.ts'

const MMDEBSTRAP = '/usr/bin/mmdebstrap'
const NSPAWN = '/usr/bin/systemd-nspawn'
const SUITE = 'trixie'

/** What a household's Debian has, and what the Ansible role may be told to install. */
const PACKAGES = [
  'systemd,systemd-sysv,dbus,ca-certificates,iproute2,procps',
  'python3-minimal,python3-apt,avahi-daemon,libnss-mdns',
  'nftables,nginx-light,unbound,dns-root-data,curl,dnsutils',
].join(',')

/** There, but not yet in use. */
const DISABLED = ['avahi-daemon.service', 'avahi-daemon.socket', 'nginx.service', 'unbound.service']

const OPTIONS = [
  ...['doc', 'locale', 'man'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  '--dpkgopt=force-unsafe-io',
  '--aptopt=Acquire::Languages "none"',
  '--aptopt=APT::Install-Recommends "false"',
  `--customize-hook=systemctl --root="$1" disable ${DISABLED.join(' ')}`,
  `--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"`,
]

/** Installing the package takes a second, and a minute where others want the machine too. */
const SLOWEST_MS = 180_000

/** Nothing of the test's own environment. */
const ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
}

export const withoutDebianRoot = (): string | false => {
  if (process.getuid?.() !== 0) return 'needs root'
  return missing(MMDEBSTRAP, NSPAWN)
}

/** The root that copies are made of, never changed: some 170 MB, made in 30 to 60 s the first time. */
export async function debianRoot(): Promise<string> {
  const kind = createHash('sha256')
    .update(JSON.stringify([SUITE, PACKAGES, OPTIONS]))
    .digest('hex')
  const folder = join(tmpdir(), `btl-debian-${kind.slice(0, 12)}`)
  if (existsSync(folder)) return folder
  const half = await mkdtemp(join(tmpdir(), 'btl-debian-new-'))
  const include = `--include=${PACKAGES}`
  const args = ['--quiet', '--mode=root', '--variant=minbase', include, ...OPTIONS, SUITE, half]
  try {
    await output(MMDEBSTRAP, args, { timeoutMs: 400_000 })
    await rename(half, folder)
  } catch (error) {
    await rm(half, { recursive: true, force: true })
    // Another test was quicker.
    if (!existsSync(folder)) throw error
  }
  return folder
}

/** A copy of the root that may be changed; it takes no time and only the space of what changes. */
export async function cloneRoot(t: Cleanup, name = 'btl-root'): Promise<string> {
  const lower = await debianRoot()
  const folder = await mkdtemp(join(tmpdir(), `${name}-`))
  finallyDo(t, () => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const [upper, work, merged] = ['upper', 'work', 'root'].map((one) => join(folder, one))
  for (const one of [upper, work, merged]) await mkdir(one ?? '')
  const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`
  await output('/usr/bin/mount', ['-t', 'overlay', 'overlay', '-o', layers, merged ?? ''])
  finallyDo(t, async () => void (await run('/usr/bin/umount', ['-R', '-l', merged ?? ''])))
  return merged ?? ''
}

const ALONE = '--quiet --register=no --keep-unit --private-network --resolv-conf=off'

const nspawn = (root: string, more: readonly string[]): string[] => [
  ...ALONE.split(' '),
  '-D',
  root,
  ...more,
]

/** Runs a command in a root where no systemd runs. */
export function runIn(
  root: string,
  command: string,
  args: string[] = [],
  options: RunOptions & { binds?: Record<string, string> } = {},
): Promise<RunResult> {
  const binds = Object.entries(options.binds ?? {}).map(([to, from]) => `--bind-ro=${from}:${to}`)
  const env = Object.entries(ENV).map(([name, value]) => `--setenv=${name}=${value}`)
  const how = ['--as-pid2', '--pipe', ...env, ...binds]
  return run(NSPAWN, nspawn(root, [...how, command, ...args]), {
    timeoutMs: SLOWEST_MS,
    ...options,
  })
}

export interface BootedRoot {
  readonly root: string
  /** Pid 1 of the machine, as this one counts. */
  readonly leader: number
  /** Runs a command inside; its exit code is an answer, not a failure. */
  run(command: string, args?: string[], options?: RunOptions): Promise<RunResult>
  /** Runs a shell script inside that must succeed, and gives its stdout. */
  sh(script: string, options?: RunOptions): Promise<string>
  /** What was printed on the console. */
  console(): string
  powerOff(): Promise<void>
}

async function childOf(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const first = Number(text.trim().split(' ')[0])
  return first > 0 ? first : undefined
}

/** Boots systemd in a root; resolves once it is up, whether or not every unit is well. */
export async function bootRoot(
  t: Cleanup,
  root: string,
  more: readonly string[] = [],
): Promise<BootedRoot> {
  const child: ChildProcess = spawn(NSPAWN, nspawn(root, ['--console=pipe', ...more, '--boot']), {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  const keep = (chunk: unknown) => {
    text = (text + String(chunk)).slice(-200_000)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const gone = once(child, 'exit')
  let leader = 0
  const powerOff = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    // systemd(1), SIGRTMIN+4: power off. Node has no name for it.
    if (leader > 0) await run('/usr/bin/kill', ['-s', 'RTMIN+4', String(leader)])
    const hard = setTimeout(() => {
      if (leader > 0) process.kill(leader, 'SIGKILL')
      child.kill('SIGKILL')
    }, 15_000)
    await gone
    clearTimeout(hard)
  }
  finallyDo(t, powerOff)
  const inside = (command: string, args: string[] = [], options: RunOptions = {}) =>
    run('/usr/bin/nsenter', ['-t', String(leader), '-a', command, ...args], {
      env: ENV,
      timeoutMs: SLOWEST_MS,
      ...options,
    })
  await until(
    'systemd of the root',
    async () => {
      leader = (child.pid === undefined ? undefined : await childOf(child.pid)) ?? 0
      if (leader === 0) return false
      const { stdout } = await inside('/usr/bin/systemctl', ['is-system-running'])
      return /running|degraded/.test(stdout)
    },
    { timeoutMs: 60_000 },
  )
  return {
    root,
    leader,
    run: inside,
    async sh(script, options) {
      const result = await inside('/bin/sh', ['-ec', script], options)
      if (result.code !== 0) {
        throw new Error(`in the root: ${script}: ${result.code} ${result.stdout}${result.stderr}`)
      }
      return result.stdout
    },
    console: () => text,
    powerOff,
  }
}
