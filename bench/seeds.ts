/**
 * The swarm role with 1,000 and with 10,000 seeded torrents that nobody asks for: memory,
 * descriptors, time to know them all, idle CPU; what is left after two thousand of them were called
 * for; and libtorrent with the same 1,000.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromHex } from '../src/base/bytes.ts'
import type { StoreLayout } from '../src/base/layout.ts'
import { encodeHandshake } from '../src/engines/torrent/wire/wire-reader.ts'
import { createTestDaemon, type TestDaemon } from '../test/support/daemon.ts'
import { PYTHON } from '../test/support/libtorrent.ts'
import { output, start } from '../test/support/processes.ts'
import { leaveSleeping } from '../test/support/sleeping-seeds.ts'
import { ROOT } from '../test/support/sources.ts'
import { tempFolder } from '../test/support/temp.ts'
import { makeTorrentOf, type MadeTorrent, pattern } from '../test/support/torrents.ts'
import { until } from '../test/support/until.ts'
import { type Bench, bench } from './runner.ts'

const FEW = 1000
const MANY = 10_000
const CALLED = 2000
const CALLERS = 10
const SETTLE_MS = 20_000
const IDLE_SECONDS = 30
const TICKS_A_SECOND = 100
const FILE_BYTES = 40_000
const PIECE_BYTES = 16_384

const madeOf = (index: number): MadeTorrent =>
  makeTorrentOf(pattern(FILE_BYTES, index + 1), {
    name: `site-${index}.html`,
    pieceLength: PIECE_BYTES,
  })

async function layOut(state: string, count: number): Promise<MadeTorrent[]> {
  const store = join(state, 'store')
  const layout: StoreLayout = { blobs: join(store, 'blobs'), torrents: join(store, 'torrents') }
  const all: MadeTorrent[] = []
  const indices = Array.from({ length: count }, (_, index) => index).values()
  const worker = async () => {
    for (const index of indices) {
      const made = madeOf(index)
      await leaveSleeping(layout, made)
      all.push({ ...made, files: [], torrentFile: new Uint8Array(0) })
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  return all
}

async function residentMb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]) / 1024
}

async function cpuTicks(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  // proc(5): utime and stime are fields 14 and 15.
  return Number(fields[11]) + Number(fields[12])
}

async function idleCpu(pid: number): Promise<number> {
  const before = await cpuTicks(pid)
  await sleep(IDLE_SECONDS * 1000)
  return (((await cpuTicks(pid)) - before) / TICKS_A_SECOND / IDLE_SECONDS) * 100
}

const swarmOf = async (box: TestDaemon): Promise<number> => {
  const pid = await box.rolePid('swarm')
  if (pid === undefined) throw new Error('no swarm role')
  return pid
}

/** Starts a daemon on `count` seeds and tells what they cost. */
async function measure(b: Bench, count: number, bars: { rss: number; seconds?: number }) {
  const state = join(await tempFolder(b, 'seeds'), 'state')
  const made = await layOut(state, count)
  const since = performance.now()
  const box = await createTestDaemon(b, {
    state,
    compiled: true,
    config: { log: { level: 'info', format: 'json' } },
  })
  await until('the seeds to be known', () => /"seeds":\d{4}/.test(box.output()), {
    timeoutMs: 120_000,
    everyMs: 20,
  }).catch((error: unknown) => {
    throw new Error(box.output(), { cause: error })
  })
  const seconds = (performance.now() - since) / 1000
  const pid = await swarmOf(box)
  await sleep(SETTLE_MS)
  const what = `${count} seeds`
  b.report({
    what: `${what}, from start to all known`,
    value: seconds,
    unit: 's',
    ...(bars.seconds === undefined ? {} : { atMost: bars.seconds }),
  })
  b.report({
    what: `${what}, swarm role`,
    value: await residentMb(pid),
    unit: 'MB',
    atMost: bars.rss,
  })
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length
  b.report({ what: `${what}, descriptors`, value: descriptors, unit: '', atMost: 1000 })
  b.report({ what: `${what}, idle CPU`, value: await idleCpu(pid), unit: '%', atMost: 3 })
  return { box, made, pid }
}

/** Names a torrent, and leaves when the handshake is answered. */
async function call(port: number, { infoHash }: MadeTorrent): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      resolve(true)
      socket.destroy()
    })
    socket.once('close', () => resolve(false))
    socket.write(encodeHandshake(fromHex(infoHash), Buffer.from('-XX0000-bench-caller')))
  })
}

async function wake(b: Bench, box: TestDaemon, made: MadeTorrent[], pid: number): Promise<void> {
  const left = made.slice(0, CALLED).values()
  let answered = 0
  const since = performance.now()
  const caller = async () => {
    for (const one of left) if (await call(box.port('swarm'), one)) answered++
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const seconds = (performance.now() - since) / 1000
  b.report({ what: 'seeds woken and answered', value: answered / seconds, unit: '/s' })
  b.report({ what: 'callers answered', value: answered, unit: '', atLeast: CALLED })
  await sleep(SETTLE_MS + 60_000)
  b.report({
    what: `${MANY} seeds, swarm role, after ${CALLED} were called for`,
    value: await residentMb(pid),
    unit: 'MB',
    atMost: 450,
  })
}

const LIBTORRENT = `
import libtorrent as lt, sys, os, time
folder = sys.argv[1]
s = lt.session({'listen_interfaces': '127.0.0.1:0', 'enable_dht': False, 'enable_lsd': False,
    'enable_upnp': False, 'enable_natpmp': False, 'active_seeds': -1, 'active_limit': -1})
for name in sorted(os.listdir(folder)):
    if name.endswith('.torrent'):
        p = lt.add_torrent_params()
        p.ti = lt.torrent_info(os.path.join(folder, name))
        p.save_path = folder
        p.flags |= lt.torrent_flags.seed_mode
        s.add_torrent(p)
time.sleep(15)
print('ready', flush=True)
sys.stdin.read()
`

async function libtorrent(b: Bench): Promise<void> {
  const folder = await tempFolder(b, 'libtorrent')
  for (let index = 0; index < FEW; index++) {
    const made = madeOf(index)
    await writeFile(join(folder, `${index}.torrent`), made.torrentFile)
    await writeFile(join(folder, `site-${index}.html`), made.files[0]?.bytes ?? '')
  }
  const running = start(b, PYTHON, ['-c', LIBTORRENT, folder])
  await running.line((line) => line === 'ready', 120_000)
  b.report({ what: `${FEW} seeds, libtorrent`, value: await residentMb(running.pid), unit: 'MB' })
  b.report({
    what: `${FEW} seeds, libtorrent, idle CPU`,
    value: await idleCpu(running.pid),
    unit: '%',
  })
  await running.stop()
}

await bench('seeds', async (b) => {
  await output(process.execPath, ['.ci/setup.mjs', 'start'], { cwd: ROOT, timeoutMs: 600_000 })
  const none = await createTestDaemon(b, { compiled: true })
  await sleep(SETTLE_MS)
  b.report({
    what: 'no seeds, swarm role',
    value: await residentMb(await swarmOf(none)),
    unit: 'MB',
  })
  await none.stop()
  const few = await measure(b, FEW, { rss: 250 })
  await few.box.stop()
  await libtorrent(b)
  const many = await measure(b, MANY, { rss: 450, seconds: 20 })
  await wake(b, many.box, many.made, many.pid)
  await many.box.stop()
})
