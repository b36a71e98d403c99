/**
 * A whole machine in QEMU (tcg: no KVM is asked for), booted from a disk image as it would be flashed:
 * its serial console as text, a root shell without test code in the image, power cuts, reboots.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROBE, PROBE_UNIT, Probe } from './machine-probe.ts'
import { type Cleanup, finallyDo } from './temp.ts'

export type MachineKind = 'pc' | 'arm64' | 'rpi'

export interface MachineOptions {
  kind: MachineKind
  /** Raw disk image; it is written to. Take a copy: `cp --sparse=always --reflink=auto`. */
  disk: string
  /** Folder of its own for sockets and firmware variables, kept over boots. */
  folder: string
  memoryMb?: number
  /** Network namespace QEMU runs in, and a tap device that is there already. */
  tap?: { netns: string; name: string }
  /** Without a tap: ports of 127.0.0.1 that lead to ports of the machine. */
  forwards?: { host: number; guest: number }[]
  /** Without a tap: ports of 127.0.0.1 that the machine finds as `http://10.0.2.100`, 10.0.2.101 and so on. */
  services?: number[]
  mac?: string
  /** Words added to the kernel's command line (pc and arm64: SMBIOS type 11 of systemd-stub). */
  commandLine?: string
  /** systemd's system credentials (pc and arm64: SMBIOS type 11), by name. */
  credentials?: Record<string, string>
  /** More raw disks, as USB sticks. */
  usb?: string[]
  /** A root shell for `shell()` by the credential `systemd.extra-unit.*`: pc and arm64. */
  probe?: boolean
  /** Arms a hardware watchdog (i6300esb) that resets the machine. */
  watchdog?: boolean
  /** Appended to QEMU's command line as it is. */
  extra?: string[]
}

export interface Machine {
  /** Starts it, or starts it again after `cut`, `powerOff` or its own end. Fails if it runs. */
  start(): Promise<void>
  /** Everything the console said since the first start, at most the last 4 MB. */
  console(): string
  /** Waits for text the console says after `from` (default: this start) and gives the match. */
  waitFor(what: RegExp | string, timeoutMs: number, from?: number): Promise<RegExpMatchArray>
  /** Position in the console's text now, for `waitFor`. */
  mark(): number
  /** Types one line on the console. */
  type(line: string): void
  /** Runs a command as root in the machine (needs `probe`): its code, and its output of both kinds. */
  shell(command: string, timeoutMs?: number): Promise<{ code: number; text: string }>
  /** One command of QEMU's human monitor. */
  monitor(command: string): Promise<string>
  /** Power cut: SIGKILL of QEMU. What the guest did not flush to `disk` may be gone. */
  cut(): Promise<void>
  /** Power button; resolves when the machine is off. */
  powerOff(timeoutMs?: number): Promise<void>
  readonly running: boolean
  /** Resolves when QEMU ends. */
  exited(): Promise<void>
}

const MAX_CONSOLE = 4 * 1024 * 1024
interface Board {
  command: string
  args: string[]
  firmware?: { code: string; variables: string }
}

const BOARDS: Record<MachineKind, Board> = {
  pc: {
    command: '/usr/bin/qemu-system-x86_64',
    args: ['-machine', 'q35', '-cpu', 'max', '-accel', 'tcg,thread=multi', '-smp', '2'],
    firmware: {
      code: '/usr/share/OVMF/OVMF_CODE_4M.fd',
      variables: '/usr/share/OVMF/OVMF_VARS_4M.fd',
    },
  },
  arm64: {
    command: '/usr/bin/qemu-system-aarch64',
    args: ['-machine', 'virt', '-cpu', 'cortex-a72', '-accel', 'tcg,thread=multi', '-smp', '2'],
    firmware: {
      code: '/usr/share/AAVMF/AAVMF_CODE.fd',
      variables: '/usr/share/AAVMF/AAVMF_VARS.fd',
    },
  },
  rpi: {
    command: '/usr/bin/qemu-system-aarch64',
    args: ['-machine', 'raspi3b', '-accel', 'tcg,thread=multi'],
  },
}

/** The programs and files a machine of this kind needs on the machine that runs the test. */
export function machineNeeds(kind: MachineKind): string[] {
  const { command, firmware } = BOARDS[kind]
  return firmware ? [command, firmware.code, firmware.variables] : [command]
}

function smbios(text: string): string[] {
  // QEMU's option parser takes `,,` for a comma.
  return ['-smbios', `type=11,value=${text.replaceAll(',', ',,')}`]
}

function credentialArgs(options: MachineOptions): string[] {
  const credentials = { ...options.credentials }
  const words = options.commandLine === undefined ? [] : [options.commandLine]
  if (options.probe === true) {
    credentials['systemd.extra-unit.btlinkd-probe.service'] = PROBE_UNIT
    words.push('systemd.wants=btlinkd-probe.service')
  }
  const args = Object.entries(credentials).flatMap(([name, value]) =>
    smbios(`io.systemd.credential.binary:${name}=${Buffer.from(value).toString('base64')}`),
  )
  if (words.length > 0) {
    args.push(...smbios(`io.systemd.stub.kernel-cmdline-extra=${words.join(' ')}`))
  }
  return args
}

function networkArgs({ kind, tap, forwards, services, mac }: MachineOptions): string[] {
  if (kind === 'rpi') return []
  const card = `virtio-net-pci,netdev=lan,mac=${mac ?? '52:54:00:12:34:56'}`
  if (tap) {
    return ['-netdev', `tap,id=lan,ifname=${tap.name},script=no,downscript=no`, '-device', card]
  }
  const ports = (forwards ?? []).map(
    ({ host, guest }) => `,hostfwd=tcp:127.0.0.1:${host}-:${guest}`,
  )
  // A program for each connection: a character device would take one connection and no second.
  const given = (services ?? []).map(
    (port, index) =>
      `,guestfwd=tcp:10.0.2.${100 + index}:80-cmd:/usr/bin/busybox nc 127.0.0.1 ${port}`,
  )
  // restrict: what the guest asks of the internet, such as the time, must not leave this machine.
  const network = `user,id=lan,restrict=on${[...ports, ...given].join('')}`
  return ['-netdev', network, '-device', card]
}

function diskArgs({ kind, disk, usb }: MachineOptions): string[] {
  // A card in the Pi's slot; elsewhere virtio with flushes that reach the file.
  const drive = `file=${disk},format=raw,cache=writeback`
  const main =
    kind === 'rpi'
      ? ['-drive', `${drive},if=sd`]
      : ['-drive', `${drive},if=none,id=main`, '-device', 'virtio-blk-pci,drive=main,bootindex=1']
  if (!usb || usb.length === 0) return main
  return [
    ...main,
    ...(kind === 'rpi' ? [] : ['-device', 'qemu-xhci']),
    ...usb.flatMap((file, index) => [
      '-drive',
      `file=${file},format=raw,if=none,id=usb${index}`,
      '-device',
      `usb-storage,drive=usb${index},removable=on`,
    ]),
  ]
}

/** Makes a machine that is off. It is gone with the test. */
export async function machine(t: Cleanup, options: MachineOptions): Promise<Machine> {
  const { kind, folder } = options
  await mkdir(folder, { recursive: true })
  const board = BOARDS[kind]
  const monitorSocket = join(folder, 'monitor.sock')
  const probeSocket = join(folder, 'probe.sock')
  const variables = join(folder, 'variables.fd')
  if (board.firmware && !existsSync(variables)) {
    await copyFile(board.firmware.variables, variables)
  }
  const withProbe = options.probe === true && kind !== 'rpi'
  let child: ChildProcess | undefined
  let text = ''
  let dropped = 0
  let started = 0
  let probe: Probe | undefined
  const watchers = new Set<() => void>()

  const alive = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const exited = async () => {
    if (child && alive()) await once(child, 'exit')
  }
  const hear = (chunk: string) => {
    text += chunk
    if (text.length > MAX_CONSOLE) {
      dropped += text.length - MAX_CONSOLE
      text = text.slice(-MAX_CONSOLE)
    }
    for (const watcher of watchers) watcher()
  }

  async function start(): Promise<void> {
    if (alive()) throw new Error('the machine runs already')
    if (withProbe) probe ??= await Probe.listen(probeSocket)
    const args = [
      ...board.args,
      '-m',
      String(options.memoryMb ?? 1024),
      '-display',
      'none',
      '-monitor',
      `unix:${monitorSocket},server=on,wait=off`,
      // The image's console is the second UART of a Pi, the first everywhere else.
      ...(kind === 'rpi' ? ['-serial', 'null'] : []),
      '-serial',
      'stdio',
      ...(board.firmware
        ? [
            '-drive',
            `if=pflash,unit=0,format=raw,readonly=on,file=${board.firmware.code}`,
            '-drive',
            `if=pflash,unit=1,format=raw,file=${variables}`,
          ]
        : []),
      ...diskArgs(options),
      ...networkArgs(options),
      ...(kind === 'rpi' ? [] : ['-device', 'virtio-rng-pci']),
      ...(withProbe
        ? [
            '-device',
            'virtio-serial',
            '-chardev',
            `socket,id=probe,path=${probeSocket}`,
            '-device',
            `virtserialport,chardev=probe,name=${PROBE}`,
          ]
        : []),
      ...(options.watchdog === true ? ['-device', 'i6300esb', '-action', 'watchdog=reset'] : []),
      ...(kind === 'rpi' ? [] : credentialArgs(options)),
      ...(options.extra ?? []),
    ]
    const [command, rest] = options.tap
      ? ['/usr/sbin/ip', ['netns', 'exec', options.tap.netns, board.command, ...args]]
      : [board.command, args]
    started = dropped + text.length
    const qemu = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
    qemu.stdout.on('data', (chunk: Buffer) => hear(chunk.toString('latin1')))
    qemu.stderr.on('data', (chunk: Buffer) => hear(`[qemu] ${chunk.toString()}`))
    qemu.stdin.on('error', () => undefined)
    qemu.once('error', (error) => hear(`[qemu] ${error.message}\n`))
    qemu.once('exit', () => hear('\n[qemu] ended\n'))
    child = qemu
    await once(qemu, 'spawn')
  }

  async function waitFor(what: RegExp | string, timeoutMs: number, from = started) {
    const pattern = typeof what === 'string' ? literal(what) : what
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const match = pattern.exec(text.slice(Math.max(0, from - dropped)))
      if (match) return match
      const left = deadline - Date.now()
      if (left <= 0 || !alive()) {
        const why = alive() ? `gave up after ${timeoutMs} ms` : 'the machine ended'
        throw new Error(`${why} waiting for ${pattern}; the console's end:\n${text.slice(-3000)}`)
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.min(left, 1000))
        function done() {
          clearTimeout(timer)
          watchers.delete(done)
          resolve()
        }
        watchers.add(done)
      })
    }
  }

  async function cut(): Promise<void> {
    if (!alive()) return
    child?.kill('SIGKILL')
    await exited()
  }

  finallyDo(t, async () => {
    await cut()
    probe?.close()
    await rm(monitorSocket, { force: true })
  })

  return {
    start,
    console: () => text,
    waitFor,
    mark: () => dropped + text.length,
    type: (line) => void child?.stdin?.write(`${line}\n`),
    async shell(command, timeoutMs = 60_000) {
      if (!probe) throw new Error('the machine has no probe')
      return probe.run(command, timeoutMs)
    },
    monitor: (command) => monitor(monitorSocket, command),
    cut,
    async powerOff(timeoutMs = 90_000) {
      if (!alive()) return
      await monitor(monitorSocket, 'system_powerdown')
      const timer = new AbortController()
      await Promise.race([
        exited(),
        sleep(timeoutMs, undefined, { signal: timer.signal }).then(
          () => Promise.reject(new Error('the machine did not power off')),
          () => undefined,
        ),
      ])
      timer.abort()
    },
    get running() {
      return alive()
    },
    exited,
  }
}

async function monitor(path: string, command: string): Promise<string> {
  const socket = createConnection(path)
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  socket.on('error', () => undefined)
  const prompt = async (count: number) => {
    const deadline = Date.now() + 10_000
    while (text.split('(qemu) ').length <= count && Date.now() < deadline) await sleep(20)
  }
  await once(socket, 'connect')
  await prompt(1)
  socket.write(`${command}\n`)
  await prompt(2)
  socket.destroy()
  return text.split('(qemu) ')[1] ?? ''
}

function literal(text: string): RegExp {
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
}
