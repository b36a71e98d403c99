import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { StoreLayout } from '../../../src/base/layout.ts'
import { type Log, silentLog } from '../../../src/base/ports/log.ts'
import { createSeedBook } from '../../../src/engines/torrent/seeds/seed-book.ts'
import { loadSeedMark, type SeedMark } from '../../../src/engines/torrent/seeds/seed-mark.ts'
import { leaveSleeping } from '../../support/sleeping-seeds.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { makeTorrentOf, type MadeTorrent, pattern } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { loopback, seedIn, startEngine, type TestDht, type TestEngine } from './support.ts'
import { emptyDht } from './support.ts'

const PIECE = 32 * 1024
const DAY_MS = 86_400_000
const content = pattern(10 * PIECE)
const made = makeTorrentOf(content)
const signal = (ms = 15_000) => AbortSignal.timeout(ms)
const whole = { start: 0, end: content.length }

/** Everything that is logged. */
function lines(): { log: Log; said: string[] } {
  const said: string[] = []
  const say = (_fields: object, message: string) => void said.push(message)
  return { log: { debug() {}, info: say, warn: say, error: say }, said }
}

/** Infohashes that were announced to the DHT. */
function listening(): { dht: TestDht; announced: string[] } {
  const announced: string[] = []
  return {
    announced,
    dht: {
      ...emptyDht,
      async announce(infoHash, port) {
        announced.push(infoHash)
        return emptyDht.announce(infoHash, port)
      },
    },
  }
}

async function take(t: Cleanup, from: TestEngine, torrent: MadeTorrent, ms?: number) {
  const reader = await startEngine(t)
  await reader.engine.add(torrent.info, { hints: loopback(from.port) })
  await reader.engine.want(torrent.infoHash, 0, whole, 'now', signal(ms))
}

async function stateWith(t: Cleanup, mark: Partial<SeedMark>) {
  const state = await tempFolder(t)
  const layout: StoreLayout = { blobs: join(state, 'blobs'), torrents: join(state, 'torrents') }
  await leaveSleeping(layout, made, mark)
  return { state, layout }
}

describe('a ratio', () => {
  it('ends the offer of what others published, and stays reached over a restart', async (t) => {
    const { state, layout } = await stateWith(t, {})
    const { log, said } = lines()
    const box = await startEngine(t, { seed_ratio: 1, grace: 300 }, { state, log })
    await until('the seed', async () => (await box.engine.torrents()).length === 1)
    await take(t, box, made)
    await until(
      'the limit',
      async () => (await box.engine.status(made.infoHash))?.limited === 'ratio',
    )
    assert.equal(said.filter((line) => line.includes('reached its limit')).length, 1)
    await assert.rejects(take(t, box, made, 1500), { name: 'TimeoutError' })
    await box.engine.stop()
    assert.ok(((await loadSeedMark(layout, made.infoHash))?.given ?? 0) >= content.length)

    const { dht, announced } = listening()
    const again = await startEngine(t, { seed_ratio: 1 }, { state, dht })
    await until('the seed', async () => (await again.engine.torrents()).length === 1)
    const status = await again.engine.status(made.infoHash)
    assert.deepEqual([status?.limited, status?.seeding], ['ratio', true])
    await assert.rejects(take(t, again, made, 1500), { name: 'TimeoutError' })
    assert.deepEqual(announced, [])
  })

  it('does not count what the house takes, and never refuses it', async (t) => {
    const { state, layout } = await stateWith(t, { given: content.length })
    const box = await startEngine(t, { seed_ratio: 1, lan_exempt: true }, { state })
    await until(
      'the seed',
      async () => (await box.engine.status(made.infoHash))?.limited === 'ratio',
    )
    await take(t, box, made)
    await take(t, box, made)
    await box.engine.stop()
    const mark = await loadSeedMark(layout, made.infoHash)
    assert.equal(mark?.given, content.length)
    assert.ok((mark?.uploaded ?? 0) >= 2 * content.length)
  })

  it('is no matter of own publications, whenever they are said to be own', async (t) => {
    const { state } = await stateWith(t, { given: content.length })
    const box = await startEngine(t, { seed_ratio: 1 }, { state })
    await until(
      'the seed',
      async () => (await box.engine.status(made.infoHash))?.limited === 'ratio',
    )
    await box.engine.seed(made.infoHash, { own: true })
    assert.equal((await box.engine.status(made.infoHash))?.limited, undefined)
    await take(t, box, made)
    const own = await startEngine(t, { seed_ratio: 0.1 })
    await seedIn(own, made)
    await own.engine.seed(made.infoHash, { own: true })
    await take(t, own, made)
    assert.equal((await own.engine.status(made.infoHash))?.limited, undefined)
  })

  it('is forgotten when the configuration gives more', async (t) => {
    const { state } = await stateWith(t, { given: content.length })
    const box = await startEngine(t, { seed_ratio: 2 }, { state })
    await until('the seed', async () => (await box.engine.torrents()).length === 1)
    assert.equal((await box.engine.status(made.infoHash))?.limited, undefined)
    await take(t, box, made)
  })
})

describe('a seeding time', () => {
  it('ends the offer so long after it began', async (t) => {
    const old = await stateWith(t, { since: Date.now() - 8 * DAY_MS })
    const box = await startEngine(t, { seed_time: 7 * DAY_MS }, { state: old.state })
    await until(
      'the limit',
      async () => (await box.engine.status(made.infoHash))?.limited === 'time',
    )
    const young = await stateWith(t, { since: Date.now() - 6 * DAY_MS })
    const other = await startEngine(t, { seed_time: 7 * DAY_MS }, { state: young.state })
    await until('the seed', async () => (await other.engine.torrents()).length === 1)
    assert.equal((await other.engine.status(made.infoHash))?.limited, undefined)
  })

  it('does not trust a clock that started in 1970', async (t) => {
    const { state, layout } = await stateWith(t, { since: 5000 })
    const box = await startEngine(t, { seed_time: 7 * DAY_MS }, { state })
    await until('the seed', async () => (await box.engine.torrents()).length === 1)
    assert.equal((await box.engine.status(made.infoHash))?.limited, undefined)
    await box.engine.stop()
    const since = (await loadSeedMark(layout, made.infoHash))?.since ?? 0
    assert.ok(Date.now() - since < 60_000)
  })

  it('begins when the clock is set, where it was in 1970 as the seed began', async (t) => {
    const { layout } = await stateWith(t, {})
    let now = 5000
    const clock = { now: () => now }
    const config = { seed_ratio: 0, seed_time: 7 * DAY_MS }
    const book = createSeedBook({ layout, log: silentLog, clock }, config)
    const seed = book.enter(made.infoHash, { wholeBytes: content.length })
    now = Date.now()
    book.judge(seed)
    assert.equal(seed.limited, undefined)
    now += 8 * DAY_MS
    book.judge(seed)
    assert.equal(seed.limited, 'time')
  })
})
