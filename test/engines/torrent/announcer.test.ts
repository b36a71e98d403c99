import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { infoHash, type InfoHash } from '../../../src/base/hashes.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createAnnouncer } from '../../../src/engines/torrent/discovery/announcer.ts'
import { createDueQueue } from '../../../src/engines/torrent/discovery/due-queue.ts'
import { finallyDo } from '../../support/temp.ts'
import { localConfig } from './support.ts'

const hashOf = (index: number): InfoHash => infoHash(index.toString(16).padStart(40, '0'))
const sought = (index: number, trackers: string[] = []) => ({
  infoHash: hashOf(index),
  isPrivate: false,
  trackers,
  isSeed: true,
})

/** An announcer whose time passes when the test says so; each announce takes `takesMs`. */
function stepped(t: TestContext, { takesMs = 100, stored = 8, interval = 900_000 } = {}) {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const announced: { infoHash: InfoHash; at: number }[] = []
  const tracked: { infoHash: InfoHash; at: number; signal: AbortSignal }[] = []
  const here = new Set<InfoHash>()
  let running = 0
  let most = 0
  const announcer = createAnnouncer(
    {
      log: silentLog,
      host: {
        async announce({ infoHash: hash }) {
          announced.push({ infoHash: hash, at: now })
          most = Math.max(most, ++running)
          await new Promise<void>((resolve) => {
            setTimeout(resolve, takesMs)
          })
          running--
          return stored
        },
        track: ({ infoHash: hash }, _found, signal) =>
          void tracked.push({ infoHash: hash, at: now, signal }),
        present(hash, isHere) {
          if (isHere) here.add(hash)
          else here.delete(hash)
        },
      },
      found: () => {},
    },
    localConfig({ announce_interval: interval }),
  )
  finallyDo(t, () => announcer.stop())
  return {
    announcer,
    announced,
    tracked,
    here,
    most: () => most,
    async pass(ms: number, step = 50) {
      for (const end = now + ms; now < end; ) {
        now += step
        t.mock.timers.tick(step)
        await Promise.resolve()
        await Promise.resolve()
        await new Promise(setImmediate)
      }
    },
  }
}

describe('the announcer', () => {
  it('announces one after the other, each once before any is announced again', async (t) => {
    const box = stepped(t, { interval: 10_000 })
    for (let index = 0; index < 100; index++) box.announcer.add(sought(index), true, true)
    await box.pass(45_000)
    assert.equal(box.most(), 1)
    const counts = new Map<InfoHash, number>()
    for (const { infoHash: hash } of box.announced) counts.set(hash, (counts.get(hash) ?? 0) + 1)
    assert.equal(counts.size, 100)
    assert.ok(Math.max(...counts.values()) - Math.min(...counts.values()) <= 1)
    const gaps = box.announced.slice(1).map(({ at }, index) => at - (box.announced[index]?.at ?? 0))
    assert.ok(Math.min(...gaps) >= 250, `${Math.min(...gaps)}`)
  })

  it('puts what was just seeded before what waits since the start', async (t) => {
    const box = stepped(t)
    for (let index = 0; index < 50; index++) box.announcer.add(sought(index), true, true)
    await box.pass(2000)
    box.announcer.add(sought(777), true)
    await box.pass(1000)
    const place = box.announced.findIndex(({ infoHash: hash }) => hash === hashOf(777))
    assert.ok(place > 0 && place < 10, `${place}`)
  })

  it('announces again after the interval, and sooner where nobody took it', async (t) => {
    const taken = stepped(t, { interval: 300_000 })
    taken.announcer.add(sought(1), true)
    await taken.pass(310_000, 500)
    assert.equal(taken.announced.length, 2)
    t.mock.restoreAll()
    t.mock.timers.reset()
    const refused = stepped(t, { interval: 300_000, stored: 0 })
    refused.announcer.add(sought(1), true)
    await refused.pass(310_000, 500)
    assert.ok(refused.announced.length >= 5)
  })

  it('forgets what is removed, wherever it stands', async (t) => {
    const box = stepped(t)
    for (let index = 0; index < 30; index++)
      box.announcer.add(sought(index, ['http://tracker/']), true, true)
    for (let index = 5; index < 30; index++) box.announcer.remove(hashOf(index))
    await box.pass(20_000)
    assert.equal(new Set(box.announced.map(({ infoHash: hash }) => hash)).size, 5)
    assert.equal(box.here.size, 5)
    box.announcer.remove(hashOf(0))
    assert.equal(box.tracked.find(({ infoHash: hash }) => hash === hashOf(0))?.signal.aborted, true)
  })

  it('begins at trackers a few at a time, and not at all where there is none', async (t) => {
    const box = stepped(t)
    for (let index = 0; index < 200; index++)
      box.announcer.add(sought(index, index % 2 === 0 ? ['http://tracker/'] : []), false, true)
    assert.ok(box.tracked.length <= 20)
    await box.pass(5000)
    assert.ok(box.tracked.length < 80, `${box.tracked.length}`)
    await box.pass(10_000)
    assert.equal(box.tracked.length, 100)
    assert.deepEqual(box.announced, [])
  })

  it('keeps what it has at the trackers when a seed is added again as it was', async (t) => {
    const box = stepped(t)
    box.announcer.add(sought(1, ['http://tracker/']), true)
    box.announcer.add(sought(1, ['http://tracker/']), true)
    assert.equal(box.tracked.length, 1)
    box.announcer.add(sought(1, ['http://tracker/', 'udp://other/']), true)
    await box.pass(500)
    assert.deepEqual(
      box.tracked.map(({ signal }) => signal.aborted),
      [true, false],
    )
  })

  it('never tells the DHT or the own network of private torrents', async (t) => {
    const box = stepped(t)
    box.announcer.add({ ...sought(1, ['http://tracker/']), isPrivate: true }, true)
    await box.pass(1000)
    assert.deepEqual([box.announced.length, box.here.size, box.tracked.length], [0, 0, 1])
  })
})

describe('the queue of turns', () => {
  it('gives them in order, however they were put, moved and removed', () => {
    const operation = fc.record({
      item: fc.integer({ min: 0, max: 20 }),
      at: fc.integer({ min: 0, max: 50 }),
      kind: fc.constantFrom('put', 'put', 'put', 'remove', 'take'),
    })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const queue = createDueQueue<number>()
        const model = new Map<number, number>()
        for (const { item, at, kind } of operations) {
          if (kind === 'put') {
            queue.put(item, at)
            model.set(item, at)
          } else if (kind === 'remove') {
            queue.remove(item)
            model.delete(item)
          } else {
            const least = Math.min(...model.values())
            assert.equal(queue.next() ?? Infinity, least)
            const taken = queue.take()
            if (taken === undefined) assert.equal(model.size, 0)
            else {
              assert.equal(model.get(taken), least)
              model.delete(taken)
            }
          }
          assert.equal(queue.size, model.size)
        }
      }),
    )
  })
})
