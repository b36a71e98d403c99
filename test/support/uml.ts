/**
 * A machine of its own in a process: User-Mode Linux on the files of this one, read-only, with disks
 * that are files. It boots in two seconds, and SIGKILL is the plug being pulled: what the guest had
 * not given to its disk is gone.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { missing, output } from './processes.ts'
import { type Cleanup, finallyDo, tempFolder } from './temp.ts'
import { until } from './until.ts'

export const UML = '/usr/bin/linux.uml'
export const MKFS = '/usr/sbin/mkfs.ext4'
const INSMOD = '/usr/bin/busybox'
const DMSETUP = '/usr/sbin/dmsetup'

export const withoutUml = (): string | false => missing(UML, MKFS, INSMOD, DMSETUP)

const MAX_LINES = 500_000
const FAREWELL = 'machine: over'

/** What every guest does before its own commands; `module NAME` loads one of the kernel's. */
const PREAMBLE = `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mkdir -p /dev/pts /dev/shm
mount -t tmpfs tmpfs /dev/shm
ip link set lo up
stty -onlcr
module() {
  at=/usr/lib/uml/modules/$(uname -r)
  set -- $(grep "/$1.ko:" $at/modules.dep | tr -d :)
  all=
  for one in "$@"; do all="$one $all"; done
  for one in $all; do
    grep -q "^$(basename "$one" .ko | tr - _) " /proc/modules || busybox insmod "$at/$one"
  done
}
`
const FAREWELLS = `
sync
echo ${FAREWELL}
busybox poweroff -f
`

export interface MachineOptions {
  /** Shell commands of the guest's root; the machine goes off after them. */
  script: string
  /** Image files: `/dev/ubda`, `/dev/ubdb`, … */
  disks?: readonly string[]
  /** Further ones, which several machines may have at the same time; they come after `disks`. */
  readOnlyDisks?: readonly string[]
  memoryMb?: number
  /** Further words for the kernel. */
  kernel?: readonly string[]
}

export interface Machine {
  /** Every whole line of the console so far. */
  lines(): readonly string[]
  /** The next line that `matches`, counting those already there. */
  line(matches: (line: string) => boolean, timeoutMs: number): Promise<string>
  /** Pulls the plug; resolves when nothing of the machine is left. */
  cut(): Promise<void>
  /** Resolves to the console when the machine went off by itself. */
  over(timeoutMs: number): Promise<readonly string[]>
  readonly running: boolean
}

/** A folder for disks, in memory where there is some: guests flush a lot. */
export async function diskFolder(t: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'btl-disk-'))
  finallyDo(t, () => rm(folder, { recursive: true, force: true }))
  return folder
}

/** An empty file system of ext4 in a file. */
export async function makeDisk(path: string, megabytes: number): Promise<string> {
  await output('/usr/bin/truncate', ['-s', `${megabytes}M`, path])
  await output(MKFS, ['-q', '-F', '-m', '0', '-L', 'btlinkd-data', path])
  return path
}

const isGone = (group: number): boolean => {
  try {
    process.kill(-group, 0)
    return false
  } catch {
    return true
  }
}

/** Switches a machine on. It is cut off when the test ends. */
export async function boot(t: Cleanup, options: MachineOptions): Promise<Machine> {
  const folder = await tempFolder(t, 'uml')
  const init = join(folder, 'init')
  await writeFile(init, `${PREAMBLE}${options.script}${FAREWELLS}`, { mode: 0o755 })
  const { disks = [], readOnlyDisks = [] } = options
  const child = spawn(
    UML,
    [
      `mem=${options.memoryMb ?? 768}M`,
      ...disks.map((disk, index) => `ubd${index}=${disk}`),
      // r: read-only; c: no lock of its own.
      ...readOnlyDisks.map((disk, index) => `ubd${disks.length + index}rc=${disk}`),
      'root=/dev/root',
      'rootfstype=hostfs',
      'rootflags=/',
      'ro',
      `init=${init}`,
      'con=null',
      'ssl=null',
      'con0=null,fd:1',
      'quiet',
      'panic=-1',
      `umid=btl${process.pid}-${Math.random().toString(36).slice(2, 10)}`,
      `uml_dir=${folder}/`,
      ...(options.kernel ?? []),
    ],
    // A group of its own: the kernel is one process, what runs in it are others.
    { detached: true, stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const group = child.pid ?? -1
  const lines: string[] = []
  const watchers = new Set<() => void>()
  const wake = (): void => {
    for (const watcher of watchers) watcher()
  }
  let open = true
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (lines.length < MAX_LINES) lines.push(line.replace(/\r$/, ''))
    wake()
  })
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      open = false
      wake()
      resolve()
    }
    child.once('close', end)
    child.once('error', end)
  })
  const cut = async (): Promise<void> => {
    try {
      process.kill(-group, 'SIGKILL')
    } catch {
      // It is off already.
    }
    await ended
    await until('the machine to be off', () => isGone(group), { everyMs: 5 })
  }
  finallyDo(t, cut)

  const line: Machine['line'] = async (matches, timeoutMs) => {
    const deadline = Date.now() + timeoutMs
    for (let seen = 0; ; ) {
      for (; seen < lines.length; seen++) {
        const one = lines[seen]
        if (one !== undefined && matches(one)) return one
      }
      const left = deadline - Date.now()
      if (left <= 0 || !open) {
        throw new Error(
          `the machine printed no such line; the last:\n${lines.slice(-40).join('\n')}`,
        )
      }
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer)
          watchers.delete(done)
          resolve()
        }
        const timer = setTimeout(done, left)
        watchers.add(done)
      })
    }
  }
  return {
    lines: () => lines,
    line,
    cut,
    async over(timeoutMs) {
      await line((text) => text === FAREWELL, timeoutMs)
      await until('the machine to go off', () => !open, { timeoutMs: 20_000 })
      return lines
    },
    get running() {
      return open
    },
  }
}
