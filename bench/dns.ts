/**
 * Cached answers per second of the server's CPU, beside unbound (one thread) and dnsmasq, all three
 * behind the same authority with 10,000 names, asked by dnsperf one after the other.
 *
 *   node bench/dns.ts [--json]
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startDnsmasq, startNsd, startUnbound } from '../test/support/dns-servers.ts'
import { ZONE_FILE } from '../test/support/dns-zone.ts'
import { output, start } from '../test/support/processes.ts'
import { tempFolder } from '../test/support/temp.ts'
import { bench, cpuOf, median } from './runner.ts'

const NAMES = 10_000
const SECONDS = 3
const ROUNDS = 3

interface Candidate {
  name: string
  port: number
  pid: number
}

async function perf(
  port: number,
  queries: string,
  ...more: string[]
): Promise<{ answered: number; lost: number }> {
  const text = await output(
    '/usr/bin/dnsperf',
    ['-s', '127.0.0.1', '-p', String(port), '-d', queries, '-c', '4', '-T', '1', ...more],
    { timeoutMs: 120_000 },
  )
  const number = (label: string) =>
    Number(new RegExp(`${label}:\\s+(\\d+)`).exec(text)?.[1] ?? Number.NaN)
  return { answered: number('Queries completed'), lost: number('Queries lost') }
}

/** Answers per second of CPU, and per second. */
async function measure(
  { port, pid }: Candidate,
  queries: string,
): Promise<{ perCpu: number; rate: number }> {
  const before = cpuOf(pid)
  const { answered } = await perf(port, queries, '-l', String(SECONDS), '-q', '100')
  return { perCpu: answered / (cpuOf(pid) - before), rate: answered / SECONDS }
}

await bench('dns', async (run) => {
  const folder = await tempFolder(run, 'btl-dnsperf')
  const queries = join(folder, 'queries')
  const names = Array.from({ length: NAMES }, (_, index) => `h${index}`)
  await writeFile(queries, names.map((name) => `${name}.example.test A`).join('\n'))
  const records = names.map((name, index) => `${name} 3600 A 192.0.2.${index % 250}`).join('\n')
  const authority = await startNsd(run, `${ZONE_FILE}${records}\n`)
  const unbound = await startUnbound(run, { authority: authority.port })
  const dnsmasq = await startDnsmasq(run, authority.port, [
    '--cache-size=20000',
    '--dns-forward-max=1000',
  ])
  const ours = start(run, process.execPath, ['bench/dns-server.ts', String(authority.port)])
  const port = Number((await ours.line((line) => line.startsWith('port '))).slice(5))
  const candidates: Candidate[] = [
    { name: 'unbound', ...unbound },
    { name: 'dnsmasq', ...dnsmasq },
    { name: 'ours', port, pid: ours.pid },
  ]
  for (const one of candidates) {
    // Everything into the cache, slowly enough that nothing is lost.
    for (let round = 0; round < 2; round++) await perf(one.port, queries, '-n', '1', '-q', '50')
    await measure(one, queries)
  }
  const results = new Map<string, number[]>()
  const rates = new Map<string, number[]>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of candidates) {
      const { perCpu, rate } = await measure(one, queries)
      results.set(one.name, [...(results.get(one.name) ?? []), perCpu])
      rates.set(one.name, [...(rates.get(one.name) ?? []), rate])
    }
  }
  const of = (name: string) => median(results.get(name) ?? [])
  for (const { name } of candidates) {
    run.report({
      what: `${name}: cached answers a second of CPU`,
      value: of(name),
      unit: 'answers',
    })
    run.report({
      what: `${name}: cached answers a second`,
      value: median(rates.get(name) ?? []),
      unit: 'answers',
    })
  }
  run.report({ what: 'ours / unbound', value: of('ours') / of('unbound'), unit: 'x', atLeast: 0.6 })
  run.report({ what: 'ours / dnsmasq', value: of('ours') / of('dnsmasq'), unit: 'x', atLeast: 0.8 })
})
