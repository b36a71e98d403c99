import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createLedger } from '../../../src/engines/acme/ledger.ts'
import { DAY, HOUR } from './open-acme.ts'

const NOW = Date.UTC(2027, 2, 15, 12)
const MINUTE = 60_000

describe('the ledger', () => {
  it('makes who failed wait twice as long each time, a day at most', () => {
    const ledger = createLedger(undefined)
    const minutes: number[] = []
    for (let now = NOW, tries = 0; tries < 12; tries++) {
      ledger.begin('a', false, now)
      ledger.fail('a', 'no', now)
      const until = ledger.wait('a', now)?.until ?? 0
      minutes.push((until - now) / MINUTE)
      now = until
    }
    assert.deepEqual(minutes, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440])
  })

  it('makes it wait at least as long as the authority says, a week at most', () => {
    const ledger = createLedger(undefined)
    for (const [asked, waits] of [
      [1000, 5 * MINUTE],
      [3 * HOUR, 3 * HOUR],
      [1e15, 7 * DAY],
    ] as const) {
      ledger.begin('a', false, NOW)
      ledger.fail('a', 'no', NOW, asked)
      assert.equal((ledger.wait('a', NOW)?.until ?? 0) - NOW, waits)
      ledger.done('a')
    }
  })

  it('counts an order that was never ended as one that failed, and one given up as none', () => {
    const ledger = createLedger(undefined)
    ledger.begin('a', false, NOW)
    const after = createLedger(ledger.write())
    assert.match(after.wait('a', NOW + MINUTE)?.reason ?? '', /not brought to its end/)
    assert.equal(after.wait('a', NOW + 6 * MINUTE), undefined)
    ledger.undo('a')
    assert.equal(ledger.wait('a', NOW), undefined)
  })

  it('remembers how often somebody failed who was given up afterwards', () => {
    const ledger = createLedger(undefined)
    for (let tries = 0; tries < 3; tries++) {
      ledger.begin('a', false, NOW)
      ledger.fail('a', 'no', NOW)
    }
    ledger.begin('a', false, NOW)
    ledger.undo('a')
    ledger.begin('a', false, NOW)
    ledger.fail('a', 'no', NOW)
    assert.equal((ledger.wait('a', NOW)?.until ?? 0) - NOW, 40 * MINUTE)
  })

  it('counts the orders for sites of seven days, whatever the clock said before', () => {
    const ledger = createLedger(undefined)
    for (const at of [NOW - 8 * DAY, NOW - 6 * DAY, NOW, NOW + 400 * DAY]) {
      ledger.begin('site', true, at)
    }
    ledger.begin('host', false, NOW)
    assert.equal(ledger.spent(NOW), 2)
  })

  it('lets nobody wait for a time that a wrong clock wrote', () => {
    const ledger = createLedger(undefined)
    ledger.begin('a', false, NOW + 1000 * DAY)
    ledger.holdAll('busy', NOW + 1000 * DAY)
    assert.equal(ledger.wait('a', NOW), undefined)
  })

  it('stays small', () => {
    const ledger = createLedger(undefined)
    for (let index = 0; index < 3000; index++) {
      ledger.begin(`site-${index}`, true, NOW)
      ledger.fail(`site-${index}`, 'x'.repeat(10_000), NOW)
    }
    assert.ok(ledger.write().length < 400_000, `${ledger.write().length}`)
    assert.equal(ledger.wait('site-0', NOW), undefined)
    assert.ok(ledger.wait('site-2999', NOW))
  })

  for (const [what, text] of [
    ['nothing', ''],
    ['half of itself', '{"orders":[1,2'],
    ['null', 'null'],
    ['a list', '[]'],
    ['other things', '{"orders":{"a":1},"waits":[1,2,3]}'],
    ['orders that are no times', '{"orders":["1",null,-1,1e999,{}],"waits":null}'],
    ['waits that are no waits', '{"waits":{"a":null,"b":1,"c":{"failures":"1"},"__proto__":{}}}'],
  ] as const) {
    it(`is empty where its file holds ${what}`, () => {
      const ledger = createLedger(text)
      assert.equal(ledger.spent(NOW), 0)
      for (const name of ['a', 'b', 'c', '0']) assert.equal(ledger.wait(name, NOW), undefined)
      assert.deepEqual(JSON.parse(ledger.write()), { orders: [], waits: {} })
    })
  }

  it('reads what it wrote, and anything else without a word', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        const written = createLedger(text).write()
        assert.equal(createLedger(written).write(), written)
      }),
    )
  })
})
