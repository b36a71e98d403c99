import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type BValue,
  decode,
  type Encodable,
  encode,
  encodeRawDict,
  rawEntries,
} from '../../src/base/bencode.ts'
import { createReader, type SkipState, skip } from '../../src/base/bencode-reader.ts'
import { fromLatin1, latin1, utf8 } from '../../src/base/bytes.ts'

const read = (text: string, limits = {}): BValue => decode(fromLatin1(text), limits)
const write = (value: Encodable): string => latin1(encode(value))

const scalar: fc.Arbitrary<BValue> = fc.oneof(
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((wide) => {
    const value = Number(wide)
    return Number.isSafeInteger(value) ? value : wide
  }),
  fc.uint8Array({ maxLength: 40 }),
)
const key = fc.uint8Array({ maxLength: 12 }).map(latin1)
const { value: anyValue } = fc.letrec<{ value: BValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    scalar,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 6 }).map((pairs) => new Map(pairs)),
  ),
}))

/** Maps compare by order of entries too, and decoded ones are sorted. */
function sorted(value: BValue): BValue {
  if (Array.isArray(value)) return value.map(sorted)
  if (!(value instanceof Map)) return value
  const entries = [...value].map(([key, item]) => [key, sorted(item)] as const)
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe('bencode', () => {
  for (const [text, value] of [
    ['i0e', 0],
    ['i-1e', -1],
    ['i42e', 42],
    ['i999999999999999e', 999_999_999_999_999],
    ['i9007199254740991e', Number.MAX_SAFE_INTEGER],
    ['i-9007199254740991e', Number.MIN_SAFE_INTEGER],
    ['i9007199254740992e', 2n ** 53n],
    ['i9223372036854775807e', 2n ** 63n - 1n],
    ['i-9223372036854775808e', -(2n ** 63n)],
    ['0:', utf8('')],
    ['4:spam', utf8('spam')],
    ['3:\x00\xff\x80', Uint8Array.of(0, 255, 128)],
    ['le', []],
    ['l4:spami42ee', [utf8('spam'), 42]],
    ['de', new Map()],
    [
      'd3:bar4:spam3:fooi42ee',
      new Map<string, BValue>([
        ['bar', utf8('spam')],
        ['foo', 42],
      ]),
    ],
    [
      'd0:i1e1:\xffi2ee',
      new Map([
        ['', 1],
        ['\xff', 2],
      ]),
    ],
    ['lld1:aleeee', [[new Map([['a', []]])]]],
  ] as [string, BValue][]) {
    it(`reads and writes ${JSON.stringify(text)}`, () => {
      assert.deepEqual(read(text), value)
      assert.equal(write(value), text)
    })
  }

  it('reads what it wrote, for any value', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        assert.deepEqual(decode(encode(value)), sorted(value))
      }),
    )
  })

  it('writes what it read, for any bytes that it reads', () => {
    const part = fc.oneof(
      fc.constantFrom('i', 'e', 'l', 'd', '0:', '1:', '1:a', '2:bc', 'i1e', 'i-0e', '-', '9', ':'),
      fc.string({ unit: 'binary-ascii', maxLength: 3 }),
    )
    let read = 0
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const bytes = fromLatin1(parts.join(''))
        let value: BValue
        try {
          value = decode(bytes)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'BTL_ERR_BASE_BENCODE', String(error))
          return
        }
        read++
        assert.deepEqual(encode(value), bytes)
      }),
      { numRuns: 20_000 },
    )
    assert.ok(read > 100)
  })

  it('refuses or reads canonically whatever one changed byte makes of a document', () => {
    const change = fc.tuple(anyValue, fc.nat(), fc.nat(255))
    fc.assert(
      fc.property(change, ([value, place, byte]) => {
        const bytes = encode(value)
        bytes[place % bytes.length] = byte
        try {
          assert.deepEqual(encode(decode(bytes)), bytes)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'BTL_ERR_BASE_BENCODE', String(error))
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('gives views into the document, as plain byte arrays', () => {
    const document = Buffer.from('xx4:spamxx')
    const value = decode(document.subarray(2, 8))
    assert.ok(value instanceof Uint8Array)
    assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype)
    assert.equal(value.buffer, document.buffer)
    assert.deepEqual(value, utf8('spam'))
  })

  it('keeps names of prototypes as keys', () => {
    const value = read('d9:__proto__i1e11:constructori2ee')
    assert.deepEqual(
      [...(value as Map<string, BValue>)],
      [
        ['__proto__', 1],
        ['constructor', 2],
      ],
    )
  })
})

describe('a broken document', () => {
  for (const [text, fault] of [
    ['', /ends too early at byte 0/],
    ['e', /unknown type at byte 0/],
    ['x', /unknown type/],
    ['-1:a', /unknown type/],
    [' 1:a', /unknown type/],
    ['i', /malformed integer/],
    ['ie', /malformed integer/],
    ['i-e', /malformed integer/],
    ['i1', /malformed integer/],
    ['i--1e', /malformed integer/],
    ['i+1e', /malformed integer/],
    ['i1.0e', /malformed integer/],
    ['i1e5e', /bytes after the end/],
    ['i 1e', /malformed integer/],
    ['i0x1e', /malformed integer/],
    ['i00e', /leading zero/],
    ['i01e', /leading zero/],
    ['i-0e', /leading zero/],
    ['i-01e', /leading zero/],
    ['i0000000000000000000000e', /beyond 64 bits/],
    ['i9223372036854775808e', /beyond 64 bits/],
    ['i-9223372036854775809e', /beyond 64 bits/],
    [`i${'9'.repeat(500_000)}e`, /beyond 64 bits/],
    ['1', /without length/],
    ['1:', /longer than the document/],
    ['2:a', /longer than the document/],
    ['1a', /without length/],
    ['01:a', /leading zero/],
    ['00:', /leading zero/],
    ['9999999999:a', /longer than the document/],
    ['99999999999:a', /length out of range/],
    ['4294967297:a', /longer than the document/],
    [`${'0'.repeat(500_000)}1:a`, /length out of range|leading zero/],
    ['l', /ends too early/],
    ['li1e', /ends too early/],
    ['d', /no byte string/],
    ['d1:a', /ends too early/],
    ['d1:ae', /unknown type/],
    ['d1:ai1e', /no byte string/],
    ['di1ei1ee', /no byte string/],
    ['dlei1ee', /no byte string/],
    ['d1:bi1e1:ai1ee', /out of order or twice/],
    ['d1:ai1e1:ai1ee', /out of order or twice/],
    ['d0:i1e0:i1ee', /out of order or twice/],
    ['d2:aai1e1:ai1ee', /out of order or twice/],
    ['d1:\xffi1e1:\x7fi1ee', /out of order or twice/],
    ['i1ei1e', /bytes after the end/],
    ['dee', /bytes after the end/],
    ['0:\n', /bytes after the end/],
  ] as const) {
    it(`is refused with its fault and place: ${JSON.stringify(text.slice(0, 40))}`, () => {
      const expected = { code: 'BTL_ERR_BASE_BENCODE', statusCode: 400, message: fault }
      assert.throws(() => read(text), expected)
      // Within a list or a dictionary, an end too many is the end of that.
      if (text === 'e' || text === 'dee') return
      assert.throws(() => read(`l${text}`), { code: 'BTL_ERR_BASE_BENCODE' })
      assert.throws(() => rawEntries(fromLatin1(`d1:0${text}`)), { code: 'BTL_ERR_BASE_BENCODE' })
    })
  }

  it('may nest as deep as the limit says, and no deeper', () => {
    const lists = (depth: number) => 'l'.repeat(depth) + 'e'.repeat(depth)
    assert.ok(Array.isArray(read(lists(32))))
    assert.throws(() => read(lists(33)), /nested too deep/)
    assert.ok(Array.isArray(read('le', { maxDepth: 1 })))
    assert.throws(() => read('lle', { maxDepth: 1 }), /nested too deep/)
    assert.equal(read('i1e', { maxDepth: 0 }), 1)
    assert.equal(rawEntries(fromLatin1(`d1:a${lists(31)}e`)).size, 1)
    assert.throws(() => rawEntries(fromLatin1(`d1:a${lists(32)}e`)), /nested too deep/)
  })

  for (const open of ['l', 'd1:a', 'ld1:a']) {
    it(`that opens ${JSON.stringify(open)} 100,000 times is refused`, () => {
      assert.throws(() => read(open.repeat(100_000)), /nested too deep/)
      assert.throws(() => rawEntries(fromLatin1(`d1:a${open.repeat(100_000)}`)), /nested too deep/)
    })
  }

  it('may hold as many values as the limit says, and no more', () => {
    assert.equal((read(`l${'le'.repeat(999_999)}e`) as BValue[]).length, 999_999)
    assert.throws(() => read(`l${'le'.repeat(1_000_000)}e`), /too many values/)
    assert.throws(() => read('li1ei2ee', { maxValues: 2 }), /too many values/)
    const entries = fromLatin1(`d1:al${'le'.repeat(50)}ee`)
    assert.throws(() => rawEntries(entries, { maxValues: 50 }), /too many values/)
    assert.equal(rawEntries(entries, { maxValues: 200 }).size, 1)
  })
})

describe('encode', () => {
  it('sorts keys by their bytes and leaves undefined out', () => {
    const value = { zz: 1, z: 2, '\xff': 3, '': 4, a: undefined, Z: 5 }
    assert.equal(write(value), 'd0:i4e1:Zi5e1:zi2e2:zzi1e1:\xffi3ee')
    assert.equal(
      write(
        new Map([
          ['b', 1],
          ['a', 2],
        ]),
      ),
      'd1:ai2e1:bi1ee',
    )
  })

  it('writes texts as UTF-8, long and short', () => {
    assert.deepEqual(encode('\u00fc\u{1f980}'), utf8('6:\u00fc\u{1f980}'))
    const long = '\u00fc'.repeat(100_000)
    assert.deepEqual(encode(long), utf8(`200000:${long}`))
    assert.equal(write({ ['k'.repeat(100)]: 'v' }), `d100:${'k'.repeat(100)}1:ve`)
  })

  it('writes megabytes', () => {
    const bytes = new Uint8Array(3_000_000).fill(1)
    const written = encode({ a: bytes, b: 1 })
    assert.equal(written.length, 3_000_000 + 'd1:a3000000:1:bi1ee'.length)
    assert.equal(written.buffer.byteLength, written.length, 'no more is kept than was written')
  })

  for (const value of [
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    2n ** 63n,
    { '\u0100': 1 },
  ]) {
    it(`refuses ${typeof value === 'object' ? 'a key beyond latin1' : String(value)}`, () => {
      assert.throws(() => encode(value), TypeError)
    })
  }

  it('writes minus zero as zero', () => {
    assert.equal(write(-0), 'i0e')
  })
})

describe('raw entries', () => {
  it('are the bytes of each value as they stand in the document', () => {
    const entries = rawEntries(fromLatin1('d1:ai1e4:infod3:key4:spame1:vl1:xlee1:z0:e'))
    const texts = [...entries].map(([key, raw]) => [key, latin1(raw)])
    assert.deepEqual(texts, [
      ['a', 'i1e'],
      ['info', 'd3:key4:spame'],
      ['v', 'l1:xlee'],
      ['z', '0:'],
    ])
  })

  it('make the same document again', () => {
    const dict = fc.array(fc.tuple(key, anyValue), { maxLength: 6 }).map((pairs) => new Map(pairs))
    fc.assert(
      fc.property(dict, (value) => {
        const bytes = encode(value)
        const entries = rawEntries(bytes)
        assert.deepEqual(encodeRawDict(entries), bytes)
        for (const [name, item] of value) assert.deepEqual(entries.get(name), encode(item))
      }),
    )
  })

  for (const text of [
    '',
    'i1e',
    'le',
    '4:spam',
    'd',
    'd1:ai1e',
    'd1:bi1e1:ai1ee',
    'dee',
    'd1:ai01ee',
  ]) {
    it(`are refused of ${JSON.stringify(text)}`, () => {
      assert.throws(() => rawEntries(fromLatin1(text)), { code: 'BTL_ERR_BASE_BENCODE' })
    })
  }
})

describe('skip', () => {
  it('accepts what decode accepts and stops where it stops, however small the steps', () => {
    const part = fc.oneof(
      fc.constantFrom('i', 'e', 'l', 'd', '0:', '1:a', '2:bc', 'i1e', 'i-0e', 'd1:al', 'ee', '01:'),
      anyValue.map((value) => latin1(encode(value))),
    )
    const document = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(document, fc.integer({ min: 1, max: 5 }), (text, steps) => {
        const bytes = fromLatin1(text)
        const reader = createReader(bytes)
        const state: SkipState = []
        let skipped = true
        try {
          while (skip(reader, state, 32, steps) === 0);
        } catch {
          skipped = false
        }
        let decoded = true
        try {
          decode(skipped ? bytes.subarray(0, reader.at) : bytes)
        } catch (error) {
          decoded = /bytes after the end/.test(String(error))
        }
        assert.equal(skipped, decoded)
      }),
      { numRuns: 5000 },
    )
  })
})
