/**
 * Data channels of the room: to a page in Chromium with its usual settings (addresses behind `.local`
 * names, in a network of their own), and to another room beside a bare node-datachannel pair, each end
 * in a process of its own, turn and turn about.
 *
 *   node bench/webrtc.ts [--json]
 */
import { fileURLToPath } from 'node:url'
import { pagePeer, pageServer } from '../test/engines/webrtc/page-peer.ts'
import { type RemoteRoom, remoteRoom } from '../test/engines/webrtc/remote-room.ts'
import { roomAndTab } from '../test/engines/webrtc/room-and-tab.ts'
import { browser } from '../test/support/browser.ts'
import type { Box } from '../test/support/household.ts'
import { start } from '../test/support/processes.ts'
import { type Bench, bench, median, percentile } from './runner.ts'

const MIB = 1024 * 1024
const CONNECTS = 20
const PAGE_BYTES = 96 * MIB
const PAIR_SECONDS = 4
const PAIR_RUNS = 3
const RAW = fileURLToPath(new URL('../test/engines/webrtc/raw-child.ts', import.meta.url))

async function connects(b: Bench, box: Box, tab: Box, who: 'room' | 'page'): Promise<void> {
  const room = await remoteRoom(b, 'echo', box.netns)
  const url = await pageServer(b, tab.netns)
  const chromium = await browser(b, { netns: tab.netns })
  const page = await pagePeer(chromium, url)
  const times: number[] = []
  for (let i = 0; i < CONNECTS; i++) {
    const before = performance.now()
    if (who === 'page') {
      await page.call('accept', await room.answer(await page.call<string>('offer')))
    } else {
      const { offerId, sdp } = await room.offer()
      await room.accept(offerId, await page.call<string>('answer', sdp))
    }
    const late = new AbortController()
    await Promise.race([
      page.call('opened'),
      new Promise((_, reject) => {
        const timer = setTimeout(reject, 20_000, new Error('no channel'))
        late.signal.addEventListener('abort', () => clearTimeout(timer))
      }),
    ]).then(
      () => times.push(performance.now() - before),
      () => undefined,
    )
    late.abort()
    await page.call('close')
  }
  b.say(`${who} offers: ${times.map((ms) => ms.toFixed(0)).join(' ')} ms`)
  b.report({
    what: `connected, the ${who} offering`,
    value: times.length,
    unit: `of ${CONNECTS}`,
    atLeast: CONNECTS,
  })
  b.report({ what: 'median', value: median(times), unit: 'ms', atMost: 1000 })
  b.report({ what: '95th percentile', value: percentile(times, 0.95), unit: 'ms' })
}

async function toPage(b: Bench, box: Box, tab: Box): Promise<void> {
  const room = await remoteRoom(b, 'source', box.netns)
  const url = await pageServer(b, tab.netns)
  const chromium = await browser(b, { netns: tab.netns })
  const rates: number[] = []
  for (let i = 0; i < 3; i++) {
    const page = await pagePeer(chromium, url)
    const { offerId, sdp } = await room.offer()
    const answer = await page.call<string>('answer', sdp)
    const rate = page.call<number>('take', PAGE_BYTES)
    await room.accept(offerId, answer)
    rates.push((await rate) / 1e6)
    await page.call('close')
  }
  b.say(`to Chromium: ${rates.map((rate) => rate.toFixed(1)).join(' ')} MB/s`)
  b.report({ what: 'to Chromium', value: median(rates), unit: 'MB/s', atLeast: 15 })
}

async function receivedRate(sink: RemoteRoom): Promise<number> {
  const first = await sink.stats()
  const before = performance.now()
  await new Promise((resolve) => setTimeout(resolve, PAIR_SECONDS * 1000))
  const { bytes_received: last = 0 } = await sink.stats()
  return (last - (first['bytes_received'] ?? 0)) / ((performance.now() - before) * 1000)
}

async function roomPair(b: Bench, near: Box, far: Box): Promise<number> {
  const source = await remoteRoom(b, 'source', near.netns)
  const sink = await remoteRoom(b, 'sink', far.netns)
  const { offerId, sdp } = await source.offer()
  await source.accept(offerId, await sink.answer(sdp))
  await Promise.all([source.opened(), sink.opened()])
  const rate = await receivedRate(sink)
  await Promise.all([source.process.stop(), sink.process.stop()])
  return rate
}

async function rawPair(b: Bench, near: Box, far: Box): Promise<number> {
  const [source, sink] = [near, far].map(({ netns }, i) =>
    start(b, process.execPath, [RAW, i === 0 ? 'source' : 'sink', String(PAIR_SECONDS)], { netns }),
  )
  if (!source || !sink) throw new Error('no pair')
  sink.send((await source.line((line) => line.startsWith('sdp '))).slice(4))
  source.send((await sink.line((line) => line.startsWith('sdp '))).slice(4))
  const line = await sink.line((text) => text.startsWith('rate '), 30_000)
  await Promise.all([source.stop(), sink.stop()])
  return Number(line.slice(5))
}

await bench('webrtc', async (b: Bench) => {
  const { box, tab } = await roomAndTab(b)
  await connects(b, box, tab, 'page')
  await connects(b, box, tab, 'room')
  await toPage(b, box, tab)
  const ours: number[] = []
  const bare: number[] = []
  for (let i = 0; i < PAIR_RUNS; i++) {
    ours.push(await roomPair(b, box, tab))
    bare.push(await rawPair(b, box, tab))
    b.say(`run ${i + 1}: ${ours.at(-1)?.toFixed(1)} and ${bare.at(-1)?.toFixed(1)} MB/s`)
  }
  b.report({ what: 'room to room', value: median(ours), unit: 'MB/s' })
  b.report({ what: 'bare node-datachannel', value: median(bare), unit: 'MB/s' })
  b.report({ what: 'ratio', value: median(ours) / median(bare), unit: '×', atLeast: 0.8 })
})
