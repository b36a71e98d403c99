/** What has to hold on a machine that was started from an image, asked over its shell. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Machine } from '../test/support/machine.ts'

/** Sockets that listen on other than loopback: docs/image.md has the same list with reasons. */
export const DECLARED_SOCKETS: readonly string[] = [
  'tcp 53',
  'tcp 80',
  'tcp 443',
  'tcp 6881',
  'tcp 9877',
  'tcp 42080',
  'tcp 44369',
  'udp 53',
  // The DHCP client's, on the machine's own address.
  'udp 68',
  'udp 5353',
  'udp 6771',
  'udp 6883',
  'udp 6969',
]

/** Bars of the product, with the memory of the smallest board: 1 GiB. */
export const BARS = {
  memoryKiB: 450 * 1024,
  writtenBytes: 1.2e9,
  compressedBytes: 400e6,
  idleWritesPerDayBytes: 50e6,
  bootRatio: 1.3,
}

async function ask(machine: Machine, command: string, timeoutMs?: number): Promise<string> {
  const { text } = await machine.shell(command, timeoutMs)
  return text.trim()
}

const FAILED = `systemctl --failed --plain --no-legend | while read -r unit rest; do
  echo "$unit $rest"; journalctl -b -u "$unit" -n 8 --no-pager -o cat; done`

/** Waits until systemd has nothing left to start; gives the units that failed, with what they said. */
export async function settled(machine: Machine, timeoutMs = 600_000): Promise<string> {
  await machine.shell('systemctl is-system-running --wait', timeoutMs)
  return ask(machine, FAILED)
}

/** The machine starts again by what `restart` does, or is started where that turns it off; settled, as above. */
export async function startedAnew(
  machine: Machine,
  restart: () => Promise<unknown>,
  timeoutMs = 600_000,
): Promise<string> {
  const boot = () => ask(machine, 'cat /proc/sys/kernel/random/boot_id', 20_000).catch(() => '')
  const before = await boot()
  await restart()
  for (const until = Date.now() + timeoutMs; Date.now() < until; await sleep(1000)) {
    if (!machine.running) await machine.start()
    const now = await boot()
    if (now !== '' && now !== before) return settled(machine, timeoutMs)
  }
  throw new Error(`the machine does not start again; its console's end:\n${tail(machine)}`)
}

const tail = (machine: Machine) => machine.console().slice(-3000)

/** Lines of the journal about orders of units that cannot be kept; empty when all is well. */
export function orderingCycles(machine: Machine): Promise<string> {
  return ask(machine, 'journalctl -b --no-pager -o cat | grep -i "ordering cycle" || :')
}

/**
 * `tcp 80` for each port that listens on other than loopback. A port that something is asked from is another
 * one each time, and gone with the answer: those of the kernel's own choice have to be there at a second look.
 */
export async function sockets(machine: Machine): Promise<string[]> {
  const first = await socketsNow(machine)
  const isTransient = (socket: string) => {
    const [protocol, port] = socket.split(' ')
    return protocol === 'udp' && Number(port) >= 32_768
  }
  if (!first.some(isTransient)) return first
  await sleep(30_000)
  const second = await socketsNow(machine)
  return second.filter((socket) => !isTransient(socket) || first.includes(socket))
}

async function socketsNow(machine: Machine): Promise<string[]> {
  const text = await ask(machine, 'ss -Hlntup')
  const found = new Set<string>()
  for (const line of text.split('\n')) {
    const [protocol = '', , , , local = ''] = line.split(/\s+/)
    const port = Number(local.slice(local.lastIndexOf(':') + 1))
    const address = local.slice(0, local.lastIndexOf(':'))
    if (/^(127\.|\[::1\]|\[fe80)/.test(address)) continue
    // What these ask the internet from: another port each time, gone with the answer.
    if (protocol === 'udp' && port !== 53 && /"(unbound|systemd-timesyn)"/.test(line)) continue
    found.add(`${protocol} ${port}`)
  }
  return [...found].sort(inOrder)
}

const inOrder = (a: string, b: string) => {
  const [p = '', m = ''] = a.split(' ')
  const [q = '', n = ''] = b.split(' ')
  return p === q ? Number(m) - Number(n) : p < q ? -1 : 1
}

/** Memory in use on the whole machine, in KiB: what is neither free nor can be freed. */
export async function memoryKiB(machine: Machine): Promise<number> {
  const text = await ask(machine, 'cat /proc/meminfo')
  const field = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)?.[1])
  return field('MemTotal') - field('MemAvailable')
}

/** Everything that must differ between two machines from one image, by what it is. */
export async function secrets(machine: Machine): Promise<Record<string, string>> {
  const files = await ask(
    machine,
    'sha256sum /etc/machine-id $(find /var/lib/btlinkd /var/lib/ssh -name "*.key" -o -name "root.pem" -o -name "ssh_host_*_key" | sort); blkid -s UUID -o value /dev/disk/by-partlabel/btlinkd-data',
  )
  const entries = files.split('\n').map((line): [string, string] => {
    const [value = '', name = 'data partition'] = line.split(/\s+/)
    // The names of certificates' folders are the same; a root's own name is made of its key.
    return [name, value]
  })
  return Object.fromEntries(entries)
}

/** Names of what two machines, or two lives of one, have the same of. */
export function sharedSecrets(
  one: Record<string, string>,
  other: Record<string, string>,
): string[] {
  const theirs = new Set(Object.values(other))
  return Object.entries(one).flatMap(([name, value]) => (theirs.has(value) ? [name] : []))
}

/** Seconds from the kernel's start to the house's DNS being there. */
export async function secondsToDns(machine: Machine): Promise<number> {
  const text = await ask(
    machine,
    'while ! systemctl is-active -q unbound; do sleep 1; done; systemctl show -P ActiveEnterTimestampMonotonic unbound.service',
    180_000,
  )
  return Number(text) / 1e6
}

export interface IdleWrites {
  bytesPerDay: number
  /** Who dirtied how much, and which files changed: for people, when it is too much. */
  by: string
}

// A process may end meanwhile; kernel threads stand here as well.
const WRITERS = `for p in /proc/[0-9]*; do
  w=$(sed -n 's/^write_bytes: //p' $p/io 2>/dev/null)
  [ "\${w:-0}" = 0 ] || echo "\${p#/proc/}/$(cat $p/comm) $w"
done`

/** What an idle machine writes to its disk, from `seconds` of watching it. */
export async function idleWrites(machine: Machine, seconds: number): Promise<IdleWrites> {
  const written = async () => {
    // Kernel documentation, block/stat: the seventh field is sectors of 512 bytes written.
    const text = await ask(machine, 'sync; cat /sys/block/vda/stat')
    return Number(text.split(/\s+/)[6]) * 512
  }
  const writers = async () => {
    const lines = (await ask(machine, WRITERS)).split('\n').map((line) => line.split(' '))
    return new Map(lines.map(([name = '', bytes]): [string, number] => [name, Number(bytes)]))
  }
  // A new file system's tables are written once, in the background of its first minutes.
  await ask(machine, 'while grep -qsx ext4lazyinit /proc/[0-9]*/comm; do sleep 2; done', 600_000)
  const earlier = await writers()
  await ask(machine, 'touch /run/idle-since')
  const before = await written()
  await sleep(seconds * 1000)
  const bytesPerDay = ((await written()) - before) * (86_400 / seconds)
  const files = await ask(machine, 'find /var -xdev -newer /run/idle-since | head -40')
  const by = [...(await writers())]
    .map(([name, bytes]): [string, number] => [name, bytes - (earlier.get(name) ?? 0)])
    .filter(([, bytes]) => bytes > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([name, bytes]) => `${name} ${bytes}`)
  return { bytesPerDay, by: [...by.slice(0, 10), ...files.split('\n')].join(', ') }
}
