import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type InfoHash, infoHash } from '../../../src/base/hashes.ts'
import { createHotSet } from '../../../src/engines/torrent/trackers/hot-set.ts'

const hash = (n: number) => infoHash(n.toString(16).padStart(40, '0'))

function make(places: number) {
  const busy = new Set<InfoHash>()
  const hot = new Set<InfoHash>()
  const begun = new Map<InfoHash, number>()
  const set = createHotSet<string>(
    {
      isBusy: (one) => busy.has(one),
      begin(one) {
        assert.ok(!hot.has(one))
        hot.add(one)
        begun.set(one, (begun.get(one) ?? 0) + 1)
      },
      end: (one) => assert.ok(hot.delete(one)),
    },
    places,
  )
  return { set, busy, hot, begun }
}

describe('the hot set', () => {
  it('keeps all where there is place for all', () => {
    const { set, hot, begun } = make(5)
    for (let i = 0; i < 4; i++) set.add(hash(i), '')
    for (let i = 0; i < 3; i++) set.turn()
    assert.equal(hot.size, 4)
    assert.deepEqual([...begun.values()], [1, 1, 1, 1])
  })

  it('gives everyone a turn, and never more than its places', () => {
    const { set, hot, begun } = make(4)
    for (let i = 0; i < 18; i++) set.add(hash(i), '')
    for (let i = 0; i < 5; i++) {
      assert.ok(hot.size <= 4)
      set.turn()
    }
    assert.equal(begun.size, 18)
  })

  it('keeps those with peers, and some places for the others', () => {
    const { set, busy, hot, begun } = make(4)
    for (let i = 0; i < 20; i++) set.add(hash(i), '')
    for (let i = 10; i < 16; i++) busy.add(hash(i))
    set.turn()
    assert.equal([...hot].filter((one) => busy.has(one)).length, 3)
    assert.equal(hot.size, 4)
    for (let i = 0; i < 20; i++) set.turn()
    assert.ok(begun.size > 15)
  })

  it('forgets what is dropped', () => {
    const { set, hot } = make(2)
    for (let i = 0; i < 3; i++) set.add(hash(i), '')
    set.remove(hash(0))
    assert.deepEqual([...hot], [hash(1)])
    set.turn()
    assert.equal(hot.size, 2)
    for (let i = 0; i < 3; i++) set.remove(hash(i))
    set.turn()
    assert.equal(hot.size, 0)
  })
})
