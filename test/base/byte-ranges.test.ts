import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createByteRanges } from '../../src/base/byte-ranges.ts'

const SPAN = 64
const range = fc
  .tuple(fc.integer({ min: 0, max: SPAN }), fc.integer({ min: 0, max: SPAN }))
  .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }))

describe('byte ranges', () => {
  it('merges what touches and keeps the rest apart', () => {
    const ranges = createByteRanges([
      { start: 10, end: 20 },
      { start: 30, end: 40 },
      { start: 20, end: 25 },
    ])
    assert.deepEqual(ranges.list(), [
      { start: 10, end: 25 },
      { start: 30, end: 40 },
    ])
    ranges.add({ start: 0, end: 35 })
    assert.deepEqual(ranges.list(), [{ start: 0, end: 40 }])
  })

  it('reaches to the end of the run, and nowhere from a gap', () => {
    const ranges = createByteRanges([{ start: 10, end: 20 }])
    assert.deepEqual(
      [ranges.reach(9), ranges.reach(10), ranges.reach(19), ranges.reach(20)],
      [9, 20, 20, 20],
    )
  })

  it('holds exactly the bytes that were added, in any order', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 40 }), (added) => {
        const ranges = createByteRanges(added)
        const bytes = new Set(
          added.flatMap(({ start, end }) =>
            Array.from({ length: end - start }, (_, i) => start + i),
          ),
        )
        for (let at = 0; at <= SPAN; at++) {
          let end = at
          while (bytes.has(end)) end++
          assert.equal(ranges.reach(at), end)
          assert.equal(ranges.covers({ start: at, end: at + 1 }), bytes.has(at))
        }
        const list = ranges.list()
        for (const [index, item] of list.entries()) {
          assert.ok(
            item.start < item.end && (index === 0 || (list[index - 1]?.end ?? 0) < item.start),
          )
        }
      }),
    )
  })
})
