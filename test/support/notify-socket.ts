/** systemd's end of NOTIFY_SOCKET, which Node cannot open by itself; and a start as systemd does it. */
import { join } from 'node:path'
import { type Running, start } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { until } from './until.ts'

export const PYTHON = '/usr/bin/python3'

// A BARRIER=1 of systemd-notify waits until its descriptor is closed: recv() drops it.
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(repr(s.recv(4096).decode()), flush=True)
`

/**
 * Passes sockets as systemd does: `name=kind@address`, all at one free port, as descriptors from 3 on;
 * kind `notify` is what OpenFile= of systemd 253 makes of NOTIFY_SOCKET.
 */
const OPENER = `
import json, os, socket, sys
port, names, socks, count = 0, [], [], int(sys.argv[1])
for spec in sys.argv[2:2 + count]:
    name, rest = spec.split('=', 1)
    kind, address = rest.split('@', 1)
    if kind == 'notify':
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect(os.environ['NOTIFY_SOCKET'])
    else:
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        s = socket.socket(family, socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind((address, port))
        port = s.getsockname()[1]
        if kind == 'tcp':
            s.listen(16)
    names.append(name)
    socks.append(s.detach())
# First out of the way, since one may have the number of another.
high = [os.dup2(fd, 100 + at) for at, fd in enumerate(socks)]
for at, fd in enumerate(high):
    os.dup2(fd, 3 + at)
    os.close(fd)
os.environ.update(LISTEN_FDS=str(count), LISTEN_FDNAMES=':'.join(names), LISTEN_PID=str(os.getpid()))
print(json.dumps(port), flush=True)
command = sys.argv[2 + count:]
os.execv(command[0], command)
`

export interface NotifySocket {
  readonly path: string
  /** Everything that was said, a message an entry; barriers are left out. */
  messages(): string[]
  /** Waits until a message has this line. */
  heard(line: string | RegExp, timeoutMs?: number): Promise<string>
}

export async function notifySocket(t: Cleanup): Promise<NotifySocket> {
  const path = join(await tempFolder(t, 'btl-notify'), 'notify')
  const listener = start(t, PYTHON, ['-c', LISTENER, path])
  await listener.line((line) => line === 'bound')
  const messages = (): string[] =>
    listener
      .output()
      .split('\n')
      .flatMap((line) => (line.startsWith("'") || line.startsWith('"') ? [line] : []))
  const clean = (): string[] =>
    messages()
      .map((line) => line.slice(1, -1).replaceAll('\\n', '\n'))
      .filter((text) => !text.startsWith('BARRIER'))
  return {
    path,
    messages: clean,
    heard: (wanted, timeoutMs = 15_000) =>
      until(
        `systemd to hear ${String(wanted)}`,
        () =>
          clean().find((text) =>
            text
              .split('\n')
              .some((line) => (typeof wanted === 'string' ? line === wanted : wanted.test(line))),
          ),
        { timeoutMs },
      ),
  }
}

export interface Activated extends Running {
  /** Of all sockets with an address. */
  readonly port: number
}

/** Starts a program with sockets that are bound already. @param sockets `dns-udp=udp@::` and the like */
export async function startGiven(
  t: Cleanup,
  sockets: readonly string[],
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Activated> {
  const running = start(
    t,
    PYTHON,
    ['-c', OPENER, String(sockets.length), ...sockets, command, ...args],
    { env },
  )
  const port = Number(await running.line((line) => /^\d+$/.test(line)))
  return { ...running, port }
}
