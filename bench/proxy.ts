/**
 * Tunnels and small plain requests through our proxy beside tinyproxy and squid: the same nginx behind
 * them, the proxies on one core and the rest on another, one proxy at a time. `node bench/proxy.ts [--rounds=5] [--json]`
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../test/support/free-port.ts'
import { output, start } from '../test/support/processes.ts'
import { ROOT } from '../test/support/sources.ts'
import { tempFolder } from '../test/support/temp.ts'
import { until } from '../test/support/until.ts'
import { startNginx } from './nginx.ts'
import { type Bench, bench, cpuOf, median, TASKSET } from './runner.ts'

interface Proxy {
  name: string
  port: number
  pid: number
}

const MB = 1024 * 1024
const SIZE_MB = 256
const TUNNELS = 4
const CLIENTS = 16
const SECONDS = 2
const PROXY_CORE = '0'
const OTHER_CORE = '1'
const ROUNDS = Number(process.argv.find((arg) => arg.startsWith('--rounds='))?.split('=')[1] ?? '5')

async function site(b: Bench): Promise<number> {
  const home = await tempFolder(b, 'bench-files')
  const folder = join(home, 'files')
  await mkdir(folder)
  await writeFile(join(folder, 'big.bin'), Buffer.alloc(SIZE_MB * MB, 'x'))
  await writeFile(join(folder, 'small.txt'), 'small')
  const port = await freePort()
  await startNginx(b, OTHER_CORE, `server { listen 127.0.0.1:${port}; root ${folder}; }`)
  await until('nginx', async () => (await fetch(`http://127.0.0.1:${port}/small.txt`)).ok)
  return port
}

/** How much it passed on: megabytes, requests. */
type Measure = (proxy: Proxy) => Promise<number>

const through = async (proxy: Proxy, args: string[]): Promise<string> =>
  output(
    TASKSET,
    ['-c', OTHER_CORE, '/usr/bin/curl', '-sS', '-f', '-x', `http://127.0.0.1:${proxy.port}`].concat(
      ['-o', '/dev/null', ...args],
    ),
    { timeoutMs: 120_000 },
  )

async function tinyproxy(b: Bench): Promise<Proxy> {
  const home = await tempFolder(b, 'bench-tinyproxy')
  const port = await freePort()
  const config = join(home, 'tinyproxy.conf')
  await writeFile(
    config,
    `Port ${port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\nLogFile "${home}/log"\nLogLevel Error\n`,
  )
  const { pid } = start(b, TASKSET, ['-c', PROXY_CORE, '/usr/bin/tinyproxy', '-d', '-c', config])
  return { name: 'tinyproxy', port, pid }
}

async function squid(b: Bench): Promise<Proxy> {
  const home = await tempFolder(b, 'bench-squid')
  // It gives up being root before it opens its log.
  await chmod(home, 0o777)
  const port = await freePort()
  const config = join(home, 'squid.conf')
  await writeFile(
    config,
    `http_port 127.0.0.1:${port}
http_access allow all
cache deny all
cache_mem 8 MB
access_log none
cache_log ${home}/cache.log
cache_store_log none
pid_filename ${home}/pid
coredump_dir ${home}
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname bench
`,
  )
  const { pid } = start(b, TASKSET, [
    '-c',
    PROXY_CORE,
    '/usr/sbin/squid',
    '-N',
    '-n',
    `bench${process.pid}`,
    '-f',
    config,
  ])
  return { name: 'squid', port, pid }
}

async function ours(b: Bench, sitePort: number): Promise<Proxy> {
  const args = [join(ROOT, 'bench/proxy-server.ts'), String(sitePort)]
  const child = start(b, TASKSET, ['-c', PROXY_CORE, process.execPath, ...args])
  const line = await child.line((text) => text.startsWith('{'), 60_000)
  const { port } = JSON.parse(line) as { port: number }
  return { name: 'btlinkd', port, pid: child.pid }
}

/** Plain requests that the proxy passes on in a while, over connections of the clients that are kept. */
async function forwarded(b: Bench, proxy: Proxy, url: string): Promise<number> {
  const script = join(await tempFolder(b, 'bench-wrk'), 'absolute.lua')
  await writeFile(script, `request = function() return wrk.format('GET', '${url}') end`)
  const load = ['-t1', `-c${CLIENTS}`, `-d${SECONDS}s`, '-s', script]
  const text = await output(
    TASKSET,
    ['-c', OTHER_CORE, '/usr/bin/wrk', ...load, `http://127.0.0.1:${proxy.port}`],
    { timeoutMs: 60_000 },
  )
  const failed = /Non-2xx|Socket errors: (?!connect 0, read \d+, write 0)/.exec(text)
  if (failed) throw new Error(`${proxy.name}: ${text}`)
  return Number(/(\d+) requests in/.exec(text)?.[1])
}

const createRates = (): { perCpu: number[]; perSecond: number[] } => ({ perCpu: [], perSecond: [] })

await bench('proxy', async (b) => {
  const sitePort = await site(b)
  const origin = `http://127.0.0.1:${sitePort}`
  const proxies = [await ours(b, sitePort), await tinyproxy(b), await squid(b)]
  for (const proxy of proxies) {
    await until(proxy.name, async () =>
      through(proxy, ['-p', `${origin}/small.txt`]).then(() => true),
    )
  }
  // By the proxy's own CPU: what else the machine does would decide over seconds on the clock.
  const judge = async (
    what: string,
    { unit, measure, atLeast }: { unit: string; measure: Measure; atLeast?: number },
  ) => {
    const rates = new Map(proxies.map(({ name }) => [name, createRates()]))
    for (let round = 0; round < ROUNDS; round++) {
      for (const proxy of proxies) {
        const before = cpuOf(proxy.pid)
        const startedAt = performance.now()
        const passed = await measure(proxy)
        const rate = rates.get(proxy.name)
        rate?.perSecond.push(passed / ((performance.now() - startedAt) / 1000))
        rate?.perCpu.push(passed / (cpuOf(proxy.pid) - before))
        await sleep(200)
      }
    }
    for (const [name, { perCpu, perSecond }] of rates) {
      const best = Math.max(...perSecond).toFixed(0)
      b.say(
        `  ${what}, ${name}: ${median(perCpu).toFixed(0)} ${unit} a second of CPU, ${best} a second`,
      )
    }
    const perCpu = (name: string) => median(rates.get(name)?.perCpu ?? [])
    for (const name of ['tinyproxy', 'squid']) {
      const value = perCpu('btlinkd') / perCpu(name)
      const bar = atLeast === undefined ? {} : { atLeast }
      b.report({ what: `${what} beside ${name}`, value, unit: 'x', ...bar })
    }
  }
  await judge(`${TUNNELS} tunnels`, {
    unit: 'MB',
    atLeast: 0.8,
    async measure(proxy) {
      const args = ['-p', `${origin}/big.bin`]
      await Promise.all(Array.from({ length: TUNNELS }, () => through(proxy, args)))
      return SIZE_MB * TUNNELS
    },
  })
  await judge('plain requests', {
    unit: 'requests',
    measure: (proxy) => forwarded(b, proxy, `${origin}/small.txt`),
  })
})
