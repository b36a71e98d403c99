/** Which process holds a port, read from /proc (proc(5), proc_net). */
import { readdir, readlink } from 'node:fs/promises'
import type { Machine } from './ports.ts'

export interface Holder {
  pid: number | undefined
  /** Its command; undefined where it is not ours to see. */
  program: string | undefined
}

const TABLES = { tcp: ['tcp', 'tcp6'], udp: ['udp', 'udp6'] } as const
/** include/net/tcp_states.h: TCP_LISTEN; a bound UDP socket is "closed". */
const WAITING = { tcp: '0A', udp: '07' } as const
const MAX_PROCESSES = 5000

async function inodesAt(
  machine: Machine,
  port: number,
  transport: 'tcp' | 'udp',
): Promise<string[]> {
  const inodes: string[] = []
  for (const table of TABLES[transport]) {
    const lines = ((await machine.read(`/proc/net/${table}`)) ?? '').split('\n').slice(1)
    for (const line of lines) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
      const isThere = Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16) === port
      if (isThere && state === WAITING[transport] && inode !== undefined) inodes.push(inode)
    }
  }
  return inodes
}

/** Undefined where the port is free. */
export async function holderOf(
  machine: Machine,
  port: number,
  transport: 'tcp' | 'udp',
  signal: AbortSignal,
): Promise<Holder | undefined> {
  const inodes = new Set(await inodesAt(machine, port, transport))
  if (inodes.size === 0) return undefined
  const pids = (await machine.list('/proc')).filter((name) => /^\d+$/.test(name))
  for (const pid of pids.slice(0, MAX_PROCESSES)) {
    signal.throwIfAborted()
    const folder = machine.path(`/proc/${pid}/fd`)
    for (const fd of await readdir(folder).catch(() => [])) {
      const target = await readlink(`${folder}/${fd}`).catch(() => '')
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
      if (inode === undefined || !inodes.has(inode)) continue
      const program = (await machine.read(`/proc/${pid}/comm`))?.trim()
      return { pid: Number(pid), program }
    }
  }
  return { pid: undefined, program: undefined }
}

/** Whether a process is one of ours: the daemon, or systemd that holds a socket for it. */
export async function isOurs(machine: Machine, { pid, program }: Holder): Promise<boolean> {
  if (pid === undefined) return false
  if (pid === 1 && program === 'systemd') return true
  const command = (await machine.read(`/proc/${pid}/cmdline`)) ?? ''
  return command.replaceAll('\0', ' ').includes('serve') && /btlinkd|app\/main/.test(command)
}
