import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatSize, parseDuration, parseSize } from '../../src/base/units.ts'

describe('a size', () => {
  for (const [text, bytes] of [
    ['0', 0],
    [4096, 4096],
    ['4096', 4096],
    ['512B', 512],
    ['1K', 1024],
    ['1KB', 1024],
    ['1KiB', 1024],
    ['2MB', 2_097_152],
    ['100MB', 104_857_600],
    ['100 mb', 104_857_600],
    [' 3GB ', 3_221_225_472],
    ['1.5GiB', 1_610_612_736],
    ['10tb', 10_995_116_277_760],
    ['0.5K', 512],
  ] as const) {
    it(`of ${JSON.stringify(text)} is ${bytes} bytes`, () => {
      assert.equal(parseSize(text), bytes)
    })
  }

  for (const text of [
    '',
    ' ',
    'MB',
    '-1',
    '+1',
    '1e3',
    '0x10',
    '1,5GB',
    '1.GB',
    '.5K',
    '10XB',
    '10PB',
    '1 2',
    '10MBs',
    'NaN',
    Number.NaN,
    -5,
    1e21,
    '99999999TB',
    '\uff11',
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.equal(parseSize(text), undefined)
    })
  }

  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KB'],
    [1536, '1.5 KB'],
    [102_400, '100 KB'],
    [1_048_575, '1 MB'],
    [104_857_600, '100 MB'],
    [1024 ** 3 - 1, '1 GB'],
    [1024 ** 5, '1024 TB'],
  ] as const) {
    it(`of ${bytes} bytes is shown as ${text}`, () => {
      assert.equal(formatSize(bytes), text)
    })
  }

  it('as shown is parsed to within a twentieth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 45 }), (bytes) => {
        const parsed = parseSize(formatSize(bytes)) ?? 0
        assert.ok(Math.abs(parsed - bytes) <= bytes / 19, formatSize(bytes))
      }),
    )
  })
})

describe('a duration', () => {
  for (const [text, ms] of [
    [0, 0],
    [900, 900_000],
    ['1800', 1_800_000],
    ['900s', 900_000],
    ['10m', 600_000],
    ['10M', 600_000],
    ['2h', 7_200_000],
    ['90d', 7_776_000_000],
    ['1w', 604_800_000],
    ['250ms', 250],
    ['1.5 s', 1500],
    ['0.5', 500],
  ] as const) {
    it(`of ${JSON.stringify(text)} is ${ms} ms`, () => {
      assert.equal(parseDuration(text), ms)
    })
  }

  for (const text of [
    '',
    's',
    '-1s',
    '1y',
    '1h30m',
    '1e3',
    'ten',
    '10 minutes',
    -1,
    Number.POSITIVE_INFINITY,
    '9'.repeat(20),
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.equal(parseDuration(text), undefined)
    })
  }
})
