/**
 * The warm gateway beside nginx and webtorrent's own server: the same files, the servers on one core
 * and wrk on another, one server at a time. `node bench/gateway.ts [--seconds=2] [--rounds=5] [--json]`
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../test/support/free-port.ts'
import { output, start } from '../test/support/processes.ts'
import { ROOT } from '../test/support/sources.ts'
import { tempFolder } from '../test/support/temp.ts'
import { until } from '../test/support/until.ts'
import { startNginx } from './nginx.ts'
import { type Bench, bench, TASKSET } from './runner.ts'

interface Served {
  name: string
  origin: string
  host: string
}

const MB = 1024 * 1024
const BIG = 100 * MB
const READERS = 64
const RANGE = MB
const SERVER_CORE = '0'
const CLIENT_CORE = '1'
const number = (flag: string, fallback: number): number =>
  Number(process.argv.find((arg) => arg.startsWith(`--${flag}=`))?.split('=')[1] ?? fallback)
const SECONDS = number('seconds', 2)
const ROUNDS = number('rounds', 5)

async function nginx(b: Bench, folder: string): Promise<Served> {
  const port = await freePort()
  await startNginx(
    b,
    SERVER_CORE,
    `tcp_nopush on; keepalive_requests 1000000; open_file_cache max=1000;
  types { text/html html; } default_type application/octet-stream;
  server { listen 127.0.0.1:${port}; root ${folder}; }`,
  )
  const origin = `http://127.0.0.1:${port}`
  await until('nginx', async () => (await fetch(`${origin}/small.html`)).ok)
  return { name: 'nginx', origin, host: 'localhost' }
}

async function node(b: Bench, name: string, args: string[]): Promise<Served> {
  const child = start(b, TASKSET, ['-c', SERVER_CORE, process.execPath, ...args])
  const line = await child.line((text) => text.startsWith('{'), 60_000)
  return { name, ...(JSON.parse(line) as { origin: string; host: string }) }
}

/** wrk's numbers: requests a second and MB a second. */
async function wrk(
  { origin, host }: Served,
  path: string,
  { connections, script }: { connections: number; script?: string },
): Promise<{ requests: number; megabytes: number }> {
  const text = await output(
    TASKSET,
    [
      '-c',
      CLIENT_CORE,
      '/usr/bin/wrk',
      '-t1',
      `-c${connections}`,
      `-d${SECONDS}s`,
      ...(script === undefined ? [] : ['-s', script]),
      '-H',
      `Host: ${host}`,
      `${origin}${path}`,
    ],
    { timeoutMs: (SECONDS + 30) * 1000 },
  )
  const failed = /Non-2xx|Socket errors: (?!connect 0, read 0, write 0)/.exec(text)
  if (failed) throw new Error(`${origin}${path}: ${text}`)
  const rate = /Transfer\/sec:\s+([\d.]+)(KB|MB|GB)/.exec(text)
  const scale = { KB: 1 / 1024, MB: 1, GB: 1024 }[rate?.[2] ?? ''] ?? Number.NaN
  return {
    requests: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    megabytes: Number(rate?.[1]) * scale,
  }
}

/** Random ranges of 1 MB from everywhere in the file. */
const RANGES = `
math.randomseed(7)
request = function()
  local start = math.random(0, ${BIG - RANGE - 1})
  wrk.headers["Range"] = "bytes=" .. start .. "-" .. (start + ${RANGE - 1})
  return wrk.format(nil)
end`

type Measure = (server: Served) => Promise<number>

/** Rounds alternate between the servers, so that a slow moment of the machine meets all of them. */
async function compare(
  b: Bench,
  what: string,
  { servers, measure, unit }: { servers: Served[]; measure: Measure; unit: string },
): Promise<Map<string, number>> {
  const results = new Map<string, number[]>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const server of servers) {
      results.set(server.name, [...(results.get(server.name) ?? []), await measure(server)])
      await sleep(200)
    }
  }
  // Whatever else the machine does can only slow a round down: the best one tells most.
  const best = new Map<string, number>()
  for (const [name, values] of results) {
    best.set(name, Math.max(...values))
    b.say(`  ${what}, ${name}: ${Math.max(...values).toFixed(0)} ${unit}`)
  }
  return best
}

await bench('gateway', async (b) => {
  const home = await tempFolder(b, 'bench-gateway')
  const folder = join(home, 'files')
  await mkdir(folder)
  await writeFile(join(folder, 'small.html'), randomBytes(4096))
  await writeFile(join(folder, 'big.bin'), randomBytes(BIG))
  const script = join(home, 'ranges.lua')
  await writeFile(script, RANGES)
  // Into the page cache: both read the same warm bytes.
  await readFile(join(folder, 'big.bin'))
  const servers = [
    await nginx(b, folder),
    await node(b, 'btlinkd', [join(ROOT, 'bench/gateway-server.ts'), folder, join(home, 'state')]),
    await node(b, 'webtorrent', [join(ROOT, 'bench/webtorrent-server.ts'), folder]),
  ]
  const judge = (
    what: string,
    results: Map<string, number>,
    bars: { nginx: number; webtorrent?: number },
  ) => {
    const own = results.get('btlinkd') ?? 0
    const ratio = (name: string) => own / (results.get(name) ?? Number.NaN)
    b.report({
      what: `${what} beside nginx`,
      value: ratio('nginx'),
      unit: 'x',
      atLeast: bars.nginx,
    })
    b.report({
      what: `${what} beside webtorrent`,
      value: ratio('webtorrent'),
      unit: 'x',
      ...(bars.webtorrent !== undefined && { atLeast: bars.webtorrent }),
    })
  }
  const small = await compare(b, '4 KiB', {
    servers,
    unit: 'requests/s',
    measure: async (server) => (await wrk(server, '/small.html', { connections: 32 })).requests,
  })
  const big = await compare(b, '100 MB', {
    servers,
    unit: 'MB/s',
    measure: async (server) => (await wrk(server, '/big.bin', { connections: 4 })).megabytes,
  })
  const ranges = await compare(b, `${READERS} range readers`, {
    servers,
    unit: 'MB/s',
    measure: async (server) =>
      (await wrk(server, '/big.bin', { connections: READERS, script })).megabytes,
  })
  judge('4 KiB requests/s', small, { nginx: 0.3 })
  judge('100 MB', big, { nginx: 0.8 })
  // What a player does with a film: where webtorrent's own server has to be left behind.
  judge('64 range readers', ranges, { nginx: 0.9, webtorrent: 3 })
})
