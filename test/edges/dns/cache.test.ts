/** The ring of answers: what it gives is what was put there last, whatever was put there since. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeQuery, type Query } from '../../../src/base/dns/decode-query.ts'
import { createCache, detached, type Entry } from '../../../src/edges/dns/cache.ts'
import { queryFor } from './house.ts'

function key(name: string): Query {
  const query = decodeQuery(queryFor(name, 1))
  assert.ok(query.kind === 'query')
  return query
}

/** An answer as the cache sees it: a header, the folded question, and bytes nobody looks at. */
function entryFor(name: string, more: Uint8Array): Entry {
  const { packet, questionEnd } = key(name.toLowerCase())
  return {
    bytes: Buffer.concat([packet.subarray(0, questionEnd), more]),
    at: 0,
    messageBytes: questionEnd + more.length,
    ttlCount: 0,
    errorBytes: 0,
    isAuthentic: more.length % 2 === 1,
    storedAt: more.length,
    freshUntil: 1e15 + 0.5,
    staleUntil: 2e15,
    retryAt: 0,
  }
}

describe('the memory of answers', () => {
  it('gives what was put there last, or nothing, whatever comes and goes', () => {
    const step = fc.record({
      name: fc.integer({ min: 0, max: 40 }),
      kind: fc.integer({ min: 4, max: 6 }),
      isPut: fc.boolean(),
      bytes: fc.integer({ min: 0, max: 900 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const cache = createCache(16 * 1024)
        const last = new Map<string, Entry>()
        for (const { name, kind, isPut, bytes } of steps) {
          const text = `n${name}.example.com`
          const id = `${kind} ${text}`
          if (isPut) {
            const entry = entryFor(text, randomBytes(bytes))
            cache.set(kind, key(text), entry)
            last.set(id, entry)
          } else {
            const found = cache.peek(kind, key(text.toUpperCase()))
            if (found) assert.deepEqual(detached(found), last.get(id))
          }
          assert.ok(cache.stats().bytes <= 10 * 1024)
        }
      }),
    )
  })

  it('keeps what is asked for again, and lets go of what was asked for once', () => {
    const cache = createCache(64 * 1024)
    cache.set(4, key('hot.com'), entryFor('hot.com', randomBytes(50)))
    for (let count = 0; count < 20_000; count++) {
      cache.set(4, key(`n${count}.com`), entryFor(`n${count}.com`, randomBytes(count % 300)))
      if (count % 20 === 0) assert.ok(cache.peek(4, key('hot.com')), `after ${count}`)
    }
    assert.equal(cache.peek(4, key('n0.com')), undefined)
    assert.ok(cache.peek(4, key('n19999.com')))
    assert.ok(cache.stats().entries > 50)
  })

  it('lets something go for new answers even where all of it is in use', () => {
    const cache = createCache(64 * 1024)
    for (let count = 0; count < 3000; count++) {
      const name = `n${count}.com`
      cache.set(4, key(name), entryFor(name, randomBytes(30)))
      for (let used = 0; used <= count; used += 7) cache.peek(4, key(`n${used}.com`))
      assert.ok(cache.peek(4, key(name)), name)
    }
    assert.ok(cache.stats().evicted > 2000)
  })

  it('tells names apart that differ in no more than a bit which is the case of a letter', () => {
    const cache = createCache(64 * 1024)
    cache.set(4, key('a@.com'), entryFor('a@.com', randomBytes(5)))
    assert.ok(cache.peek(4, key('A@.com')))
    assert.equal(cache.peek(4, key('a`.com')), undefined)
    assert.equal(cache.peek(5, key('a@.com')), undefined)
  })

  it('has no place for an answer that would push out all others', () => {
    const cache = createCache(64 * 1024)
    cache.set(4, key('big.com'), entryFor('big.com', randomBytes(8000)))
    assert.equal(cache.peek(4, key('big.com')), undefined)
  })

  it('puts off asking again where that was said', () => {
    const cache = createCache(64 * 1024)
    cache.set(4, key('a.com'), entryFor('a.com', randomBytes(5)))
    cache.rest(4, key('a.com'), 1234.5)
    cache.rest(4, key('b.com'), 1)
    assert.equal(cache.peek(4, key('a.com'))?.retryAt, 1234.5)
  })

  it('may be smaller than any answer', () => {
    const cache = createCache(100)
    cache.set(4, key('a.com'), entryFor('a.com', randomBytes(5)))
    assert.equal(cache.peek(4, key('a.com')), undefined)
  })
})
