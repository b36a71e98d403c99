/**
 * Sockets that systemd bound for a role, by their names (sd_listen_fds(3)): ports below 1024 without
 * any right of the process, and open while it restarts.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { declareError, messageOf } from '../../base/errors.ts'

export const BadSockets = declareError(
  'BTL_ERR_APP_SOCKETS',
  'cannot use the sockets that systemd passed: %s',
  500,
)

/** File descriptors by name. */
export type GivenSockets = ReadonlyMap<string, readonly number[]>

/** SD_LISTEN_FDS_START */
const FIRST_FD = 3
const MAX_SOCKETS = 32

/**
 * Reads the variables and removes them, since no child is meant by them. Empty where they are about
 * another process or not there.
 * @param names the FileDescriptorName= of sockets that this role can use
 * @throws BadSockets
 */
export function takeGivenSockets(
  env: NodeJS.ProcessEnv,
  names: readonly string[],
  pid = process.pid,
): GivenSockets {
  const { LISTEN_PID: forPid, LISTEN_FDS: count = '', LISTEN_FDNAMES: named = '' } = env
  delete env['LISTEN_PID']
  delete env['LISTEN_FDS']
  delete env['LISTEN_FDNAMES']
  const sockets = new Map<string, number[]>()
  if (forPid !== String(pid)) return sockets
  if (!/^\d{1,3}$/.test(count) || Number(count) > MAX_SOCKETS) {
    throw new BadSockets(`LISTEN_FDS is no number up to ${MAX_SOCKETS}`)
  }
  const found = named === '' ? [] : named.split(':')
  if (found.length !== Number(count)) {
    throw new BadSockets(`LISTEN_FDS says ${count}, LISTEN_FDNAMES has ${found.length} names`)
  }
  for (const [index, name] of found.entries()) {
    if (!names.includes(name)) {
      throw new BadSockets(
        `there is no place for one called ${JSON.stringify(name.slice(0, 40))}, only for ${names.join(', ')}: see FileDescriptorName=`,
      )
    }
    const fds = sockets.get(name) ?? []
    fds.push(FIRST_FD + index)
    sockets.set(name, fds)
  }
  return sockets
}

/** proc_net_udp(5): the tenth column is the inode. */
const INODE_COLUMN = 9

const hasInode = (table: string, inode: string): boolean =>
  table.split('\n').some((line) => line.trim().split(/\s+/)[INODE_COLUMN] === inode)

function tableOf(name: string): string {
  try {
    return readFileSync(`/proc/self/net/${name}`, 'latin1')
  } catch {
    // A kernel without IPv6 has no table of it.
    return ''
  }
}

/**
 * 4 or 6: Node must be told which, and sends nothing over a socket of the other kind.
 * @throws BadSockets where it is no UDP socket
 */
export function udpFamily(fd: number): 4 | 6 {
  let link
  try {
    link = readlinkSync(`/proc/self/fd/${fd}`)
  } catch (error) {
    throw new BadSockets(`descriptor ${fd}: ${messageOf(error)}`, { cause: error })
  }
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''
  if (inode !== '' && hasInode(tableOf('udp6'), inode)) return 6
  if (inode !== '' && hasInode(tableOf('udp'), inode)) return 4
  throw new BadSockets(`descriptor ${fd} is no UDP socket`)
}
