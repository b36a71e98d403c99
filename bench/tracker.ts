/**
 * How many announces our tracker answers, over UDP and HTTP, next to bittorrent-tracker and
 * opentracker on the same machine; how long one takes at 2,000 a second; what 200,000 peers of
 * 100,000 torrents weigh.
 *
 *   node bench/tracker.ts [--json]
 *
 * Needs gcc (the load over UDP is bench/udp-announces.c) and wrk (over HTTP).
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../test/support/free-port.ts'
import { output } from '../test/support/processes.ts'
import { tempFolder } from '../test/support/temp.ts'
import { type Bench, bench, median } from './runner.ts'
import type { Ports } from './tracker-server.ts'

const ROUNDS = 3
const SECONDS = 3
const TORRENTS = 1000
const PEERS = 40
const WINDOW = 64
const CONNECTIONS = 32
const MANY_TORRENTS = 100_000
const MANY_PEERS = 2
const RATE = 2000
const MB = 1024 * 1024
const ROLE_FLAGS = ['--max-semi-space-size=4', '--optimize-for-size']

interface Load {
  answered: number
  perSecond: number
  errors: number
  unanswered: number
  replyBytes: number
  p50?: number
  p99?: number
}

interface Server {
  child: ChildProcess
  ports: Ports
}

/** The infohashes of bench/udp-announces.c. */
function infohash(number: number): Buffer {
  const mixed = Math.imul(number + 1, 2_654_435_761)
  const hash = Buffer.alloc(20)
  for (let i = 0; i < 5; i++) {
    const word = Math.imul(mixed ^ Math.imul(i, 0x9e3779b9), 2_246_822_519)
    hash.writeUInt32BE(word >>> 0, i * 4)
  }
  return hash
}

async function startServer(run: Bench, which: 'ours' | 'theirs'): Promise<Server> {
  const child = fork(join(import.meta.dirname, 'tracker-server.ts'), [which], {
    // Ours runs as the daemon runs its roles.
    execArgv: ['--expose-gc', ...(which === 'ours' ? ROLE_FLAGS : [])],
  })
  run.after(async () => {
    if (child.exitCode !== null) return
    child.kill()
    await once(child, 'exit')
  })
  const [ports] = (await once(child, 'message')) as [Ports]
  return { child, ports }
}

async function residentOf({ child }: Server): Promise<number> {
  const said = once(child, 'message')
  child.send({})
  const [{ rss }] = (await said) as [{ rss: number }]
  return rss / MB
}

/** Debian's opentracker answers for the torrents of a list only, and reads it after its chroot. */
async function startOpentracker(run: Bench): Promise<number> {
  const folder = await tempFolder(run, 'opentracker')
  await chmod(folder, 0o755)
  const list = Array.from({ length: TORRENTS }, (_, i) => infohash(i).toString('hex'))
  await writeFile(join(folder, 'list.txt'), `${list.join('\n')}\n`)
  const port = await freePort()
  const child = spawn(
    '/usr/bin/opentracker',
    [
      '-i',
      '127.0.0.1',
      '-p',
      `${port}`,
      '-P',
      `${port}`,
      '-d',
      folder,
      '-u',
      'nobody',
      '-w',
      '/list.txt',
    ],
    { stdio: 'ignore' },
  )
  run.after(async () => {
    if (child.exitCode !== null) return
    child.kill()
    await once(child, 'exit')
  })
  await sleep(500)
  return port
}

/** All requests are written before the first is sent: the load shall cost less than what it loads. */
const wrkScript = (): string => {
  const escaped = (i: number): string => infohash(i).toString('hex').replaceAll(/../g, '%$&')
  const hashes = Array.from({ length: TORRENTS }, (_, i) => `"${escaped(i)}"`)
  return `local hashes = {${hashes.join(',')}}
local requests = {}
function init()
  for i = 1, 20000 do
    local peer = math.random(${PEERS})
    requests[i] = wrk.format("GET", "/announce?info_hash=" .. hashes[math.random(#hashes)] ..
      "&peer_id=-TR3000-" .. string.format("%012d", peer) .. "&port=" .. (1024 + peer) ..
      "&uploaded=0&downloaded=0&left=1000&numwant=50&key=36c36875&compact=1&supportcrypto=1&event=started")
  end
end
function request()
  return requests[math.random(#requests)]
end
`
}

async function wrk(script: string, port: number): Promise<number> {
  const text = await output('/usr/bin/wrk', [
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${SECONDS}s`,
    '-s',
    script,
    `http://127.0.0.1:${port}`,
  ])
  if (/Non-2xx/.test(text)) throw new Error(text)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1])
}

async function main(run: Bench): Promise<void> {
  const folder = await tempFolder(run, 'udp-announces')
  const program = join(folder, 'udp-announces')
  await output('gcc', ['-O2', '-o', program, join(import.meta.dirname, 'udp-announces.c')])
  const load = async (port: number, ...rest: (string | number)[]): Promise<Load> => {
    const args = [port, ...rest].map(String)
    return JSON.parse(await output(program, args, { timeoutMs: 120_000 })) as Load
  }
  const script = join(folder, 'announces.lua')
  await writeFile(script, wrkScript())

  const ours = await startServer(run, 'ours')
  const theirs = await startServer(run, 'theirs')
  const opentracker = await startOpentracker(run)
  const udp: Record<string, number[]> = { ours: [], theirs: [], opentracker: [] }
  const http: Record<string, number[]> = { ours: [], theirs: [] }
  const busy = async (port: number): Promise<number> => {
    const { perSecond, replyBytes, errors } = await load(
      port,
      'load',
      SECONDS,
      TORRENTS,
      PEERS,
      WINDOW,
    )
    run.say(`  udp ${perSecond}/s, ${replyBytes} bytes a reply, ${errors} errors`)
    return perSecond
  }
  for (let round = 0; round < ROUNDS; round++) {
    udp['ours']?.push(await busy(ours.ports.udp))
    udp['theirs']?.push(await busy(theirs.ports.udp))
    udp['opentracker']?.push(await busy(opentracker))
    http['ours']?.push(await wrk(script, ours.ports.http))
    http['theirs']?.push(await wrk(script, theirs.ports.http))
  }
  // Round by round: what else the machine does changes from one to the next.
  const ratio = (mine: number[] = [], other: number[] = []): number =>
    median(mine.map((value, round) => value / (other[round] ?? Number.NaN)))
  run.report({ what: 'UDP announces', value: median(udp['ours'] ?? []), unit: '/s' })
  run.report({
    what: 'UDP announces, to bittorrent-tracker',
    value: ratio(udp['ours'], udp['theirs']),
    unit: 'x',
    atLeast: 1.5,
  })
  run.report({
    what: 'UDP announces, to opentracker',
    value: ratio(udp['ours'], udp['opentracker']),
    unit: 'x',
  })
  run.report({ what: 'HTTP announces', value: median(http['ours'] ?? []), unit: '/s' })
  run.report({
    what: 'HTTP announces, to bittorrent-tracker',
    value: ratio(http['ours'], http['theirs']),
    unit: 'x',
    atLeast: 2,
  })

  const large = await startServer(run, 'ours')
  const idle = await residentOf(large)
  const filled = await load(large.ports.udp, 'fill', MANY_TORRENTS, MANY_PEERS, WINDOW)
  if (filled.answered < MANY_TORRENTS * MANY_PEERS * 0.999) throw new Error(JSON.stringify(filled))
  const full = await residentOf(large)
  run.say(`  idle ${idle.toFixed(0)} MB, full ${full.toFixed(0)} MB`)
  run.report({
    what: '200,000 peers of 100,000 torrents',
    value: full - idle,
    unit: 'MB',
    atMost: 120,
  })
  const slowest: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const paced = await load(large.ports.udp, 'rate', 4, MANY_TORRENTS, MANY_PEERS, RATE)
    run.say(`  p50 ${paced.p50} ms, p99 ${paced.p99} ms`)
    slowest.push(paced.p99 ?? Number.NaN)
  }
  run.report({
    what: 'an announce at 2,000 a second, p99',
    value: median(slowest),
    unit: 'ms',
    atMost: 20,
  })
}

await bench('tracker', main)
