/**
 * Resident memory of all roles together: idle, with 50 seeded torrents, with 1,000 known sites; and
 * how long `npm start` takes to be ready the second time.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDaemon, type TestDaemon, writeSite } from '../test/support/daemon.ts'
import { familyOf, output, start } from '../test/support/processes.ts'
import { ROOT } from '../test/support/sources.ts'
import { tempFolder } from '../test/support/temp.ts'
import { until } from '../test/support/until.ts'
import { type Bench, bench } from './runner.ts'
import { knownSites } from './known-sites.ts'

const SETTLE_MS = 20_000
const SITES = 1000
const TORRENTS = 50
const MB = 1024

interface Resident {
  /** Resident set, with the pages it shares: Node's own text counts once for each process. */
  rss: number
  /** Shared pages divided among those who share them: what the machine really gives. */
  pss: number
}

async function resident(pid: number): Promise<Resident> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const mb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / MB
  return { rss: mb('Rss'), pss: mb('Pss') }
}

/** Reports the memory of the daemon and of everything below it. */
async function memory(b: Bench, box: TestDaemon, what: string, atMost: number): Promise<void> {
  await sleep(SETTLE_MS)
  const sum: Resident = { rss: 0, pss: 0 }
  const family = [{ pid: box.pid, command: 'supervisor' }, ...(await familyOf(box.pid))]
  for (const { pid, command } of family) {
    const { rss, pss } = await resident(pid)
    sum.rss += rss
    sum.pss += pss
    const name = /--role (\w+)/.exec(command)?.[1] ?? command
    b.say(`  ${name} ${rss.toFixed(0)} MB, proportional ${pss.toFixed(0)} MB`)
  }
  b.report({ what: `${what}, resident`, value: sum.rss, unit: 'MB', atMost })
  b.report({ what: `${what}, proportional`, value: sum.pss, unit: 'MB' })
}

async function seeding(b: Bench, box: TestDaemon): Promise<void> {
  const folder = await tempFolder(b, 'sites')
  for (let i = 0; i < TORRENTS; i++) {
    const site = join(folder, String(i))
    await writeSite(site, { 'index.html': `site ${i}`, 'data.bin': randomBytes(200_000) })
    await box.json('publish', site, '--key', 'many', '--salt', `s${i}`, '--no-dht-wait')
  }
}

/** Seconds from `npm start` until the API answers. */
async function npmStart(b: Bench, state: string): Promise<number> {
  const env = {
    ...process.env,
    BTLINKD_STATE_DIR: state,
    BTLINKD_DHT__PORT: '0',
    BTLINKD_DHT__BOOTSTRAP_NODES: '[]',
    BTLINKD_SWARM__PORT: '0',
    BTLINKD_SWARM__LSD: 'false',
    BTLINKD_GATEWAY__PORT: '0',
    BTLINKD_DNS__PORT: '0',
    BTLINKD_TRACKER__UDP_PORT: '0',
    BTLINKD_PROXY__HTTP_PORT: '0',
    BTLINKD_PROXY__HTTPS_PORT: '0',
  }
  const since = performance.now()
  const npm = start(b, 'npm', ['start'], { cwd: ROOT, env })
  await until(
    'npm start to be ready',
    async () => {
      if (npm.child.exitCode !== null) throw new Error(npm.output())
      const text = await readFile(join(state, 'run', 'listeners.json'), 'utf8')
      const { gateway } = JSON.parse(text) as Record<string, { port: number }>
      return (await fetch(`http://127.0.0.1:${gateway?.port}/api/health`)).status > 0
    },
    { timeoutMs: 120_000, everyMs: 20 },
  )
  const seconds = (performance.now() - since) / 1000
  // npm passes no signal on: end what it started, from the leaves up.
  const family = await familyOf(npm.pid)
  for (const { pid, command } of family) {
    if (command.includes('launch.mjs') || command.includes('main.')) process.kill(pid, 'SIGTERM')
  }
  await npm.exited
  return seconds
}

await bench('memory', async (b) => {
  await output(process.execPath, ['.ci/setup.mjs', 'start'], { cwd: ROOT, timeoutMs: 600_000 })
  const box = await createTestDaemon(b, { compiled: true })
  // 220 MB for the roles that serve content, and 70 for the resolver's process beside them.
  await memory(b, box, 'idle', 220 + 70)
  await seeding(b, box)
  await memory(b, box, `${TORRENTS} seeded torrents`, 320)
  await box.stop()

  const state = join(await tempFolder(b, 'known'), 'state')
  await knownSites(state, SITES)
  const knowing = await createTestDaemon(b, { state, compiled: true })
  await memory(b, knowing, `${SITES} known sites`, 400)
  await knowing.stop()

  const home = join(await tempFolder(b, 'start'), 'state')
  await npmStart(b, home)
  b.report({
    what: 'npm start to ready, second run',
    value: await npmStart(b, home),
    unit: 's',
    atMost: 3,
  })
})
