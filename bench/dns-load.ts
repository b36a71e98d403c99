/**
 * The resolver of a whole daemon while the rest of the box is busy: how long answers take at 500
 * questions a second beside a process that hashes, and with the web role under ten times what it can
 * serve; and how long the house is without it when its process is killed. The box has one core, the
 * devices that ask have another.
 *
 *   node bench/dns-load.ts [--json]
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDaemon, type TestDaemon } from '../test/support/daemon.ts'
import { startNsd } from '../test/support/dns-servers.ts'
import { ZONE_FILE } from '../test/support/dns-zone.ts'
import { queryFor } from '../test/edges/dns/house.ts'
import { familyOf, output, start } from '../test/support/processes.ts'
import { type Bench, bench, median, TASKSET } from './runner.ts'

const SECONDS = 8
const ROUNDS = 3
const PER_SECOND = 500
/** Longer than the supervisor takes a role for one that keeps failing. */
const STEADY_MS = 10_500
const BOX_CORE = '0'
const DEVICE_CORE = '1'

interface Times {
  p50: number
  p99: number
  max: number
  lost: number
}

const HASHING = `const { createHash } = require('node:crypto')
const piece = Buffer.alloc(4 * 1024 * 1024)
for (;;) createHash('sha1').update(piece).digest()`

async function probe(port: number): Promise<Times> {
  const args = ['bench/dns-prober.ts', String(port), String(PER_SECOND), String(SECONDS)]
  return JSON.parse(await output(TASKSET, ['-c', DEVICE_CORE, process.execPath, ...args])) as Times
}

/** Beside a process that does nothing else than hash, as the swarm role does after a download. */
async function whileHashing<T>(b: Bench, work: () => Promise<T>): Promise<T> {
  const busy = start(b, TASKSET, ['-c', BOX_CORE, process.execPath, '-e', HASHING])
  try {
    await sleep(300)
    return await work()
  } finally {
    busy.kill('SIGKILL')
  }
}

/** Hundreds of connections that each ask again as soon as they are answered. */
async function whileFlooded<T>(b: Bench, daemon: TestDaemon, work: () => Promise<T>): Promise<T> {
  const flood = start(b, TASKSET, [
    '-c',
    DEVICE_CORE,
    '/usr/bin/wrk',
    '-t1',
    '-c400',
    '-d60s',
    '-HHost: btlink',
    `http://127.0.0.1:${daemon.port('http')}/`,
  ])
  try {
    await sleep(500)
    return await work()
  } finally {
    flood.kill('SIGKILL')
  }
}

/** From the end of the resolver's process to the next answer, in ms. */
async function outage(daemon: TestDaemon): Promise<number> {
  const pid = await daemon.rolePid('dns')
  if (pid === undefined) throw new Error('no dns role')
  const port = daemon.port('dns')
  const query = queryFor('btlink', 1)
  const socket = createSocket('udp4')
  const answered = once(socket, 'message')
  socket.on('error', () => undefined)
  const began = performance.now()
  process.kill(pid, 'SIGKILL')
  // The kernel answers for a port without a process only to connected sockets: this one just asks on.
  const asking = setInterval(() => socket.send(query, port, '127.0.0.1'), 5)
  try {
    await answered
    return performance.now() - began
  } finally {
    clearInterval(asking)
    socket.close()
  }
}

await bench('dns-load', async (b) => {
  const records = Array.from({ length: 200 }, (_, index) => `h${index} 3600 A 192.0.2.1`)
  const authority = await startNsd(b, `${ZONE_FILE}${records.join('\n')}\n`)
  const daemon = await createTestDaemon(b, {
    config: {
      dns: { port: 0, listen: ['127.0.0.1'], max_rate: 100_000, burst: 100_000 },
      upstream: { routes: [`example.test=127.0.0.1:${authority.port}`] },
    },
  })
  for (const { pid } of [{ pid: daemon.pid }, ...(await familyOf(daemon.pid))]) {
    await output(TASKSET, ['-a', '-c', '-p', BOX_CORE, String(pid)])
  }
  const port = daemon.port('dns')
  await probe(port)
  const quiet: number[] = []
  const hashing: number[] = []
  const flooded: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const times = {
      quiet: await probe(port),
      hashing: await whileHashing(b, () => probe(port)),
      flooded: await whileFlooded(b, daemon, () => probe(port)),
    }
    for (const [what, { p50, p99, max, lost }] of Object.entries(times)) {
      b.say(
        `${what}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, max ${max.toFixed(1)} ms, ${lost} lost`,
      )
    }
    quiet.push(times.quiet.p99)
    hashing.push(times.hashing.p99)
    flooded.push(times.flooded.p99)
  }
  b.report({ what: 'p99 on a quiet box', value: median(quiet), unit: 'ms' })
  b.report({
    what: 'p99 beside a process that hashes',
    value: median(hashing),
    unit: 'ms',
    atMost: 5,
  })
  b.report({ what: 'p99 while the web role is flooded', value: median(flooded), unit: 'ms' })
  b.report({
    what: 'p99 flooded / quiet',
    value: median(flooded) / median(quiet),
    unit: 'x',
    atMost: 1.5,
  })
  const outages: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(STEADY_MS)
    outages.push(await outage(daemon))
  }
  b.report({
    what: 'from kill -9 to the next answer',
    value: median(outages),
    unit: 'ms',
    atMost: 1000,
  })
})
