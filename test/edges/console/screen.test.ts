import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import readQr from 'jsqr'
import { draw, screen, type ScreenFacts } from '../../../src/edges/console/index.ts'
import { tempFolder } from '../../support/temp.ts'

const WORDS = 'abbey copper ladder zigzag prism river golden heart saddle talent'.split(' ')
const FACTS: ScreenFacts = {
  name: 'btlink.local',
  version: 'btlinkd 0.1.0',
  v4: ['192.168.178.100'],
  v6: ['fd12:3456:789a:1:abcd:ef01:2345:6789', '2001:db8:1234:5678:abcd:ef01:2345:6789'],
  url: 'http://192.168.178.100/',
  words: WORDS,
  clock: 'floor, no time server has confirmed it',
  health: 'degraded: dht, no node has answered yet',
  faults: [],
}

/** Dark where the terminal is, in squares of four pixels: what a telephone sees. */
function picture(lines: readonly string[], columns: number, rows: number) {
  const pixels = 4
  const width = columns * pixels
  const height = rows * 2 * pixels
  const data = new Uint8ClampedArray(width * height * 4).fill(255)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const half = Math.floor(y / pixels)
      const glyph = lines[half >> 1]?.[Math.floor(x / pixels)] ?? ' '
      const isLight = glyph === '█' || glyph === (half % 2 === 0 ? '▀' : '▄')
      // Letters are a little light.
      const shade = isLight ? 255 : /[ ▀▄]/.test(glyph) ? 0 : 60
      data.fill(shade, (y * width + x) * 4, (y * width + x) * 4 + 3)
    }
  }
  return { data, width, height }
}

function scan(lines: readonly string[], columns: number, rows: number): string | undefined {
  const { data, width, height } = picture(lines, columns, rows)
  return readQr.default(data, width, height)?.data
}

const SIZES = [
  [80, 25],
  [80, 24],
  [40, 25],
  [160, 45],
  [240, 67],
] as const

describe('the screen at the box (R25)', () => {
  it('shows what somebody needs who connects one', () => {
    assert.equal(
      screen({ ...FACTS, url: undefined }, { columns: 80, rows: 25 }).join('\n'),
      `btlinkd
name      btlink.local
address   192.168.178.100
          fd12:3456:789a:1:abcd:ef01:2345:6789
          2001:db8:1234:5678:abcd:ef01:2345:6789
health    degraded: dht, no node has answered yet
clock     floor, no time server has confirmed it
version   btlinkd 0.1.0
root      abbey copper ladder zigzag prism river golden heart saddle talent`,
    )
  })

  for (const [columns, rows] of SIZES) {
    it(`has a code on ${columns}x${rows} that leads a phone to the root page`, () => {
      const facts = columns === 40 ? { ...FACTS, v6: [] } : FACTS
      const lines = screen(facts, { columns, rows })
      assert.equal(scan(lines, columns, rows), FACTS.url)
      assert.match(lines.join('\n'), /btlink\.local/)
    })
  }

  it('has a code for an address of IPv6', () => {
    const url = 'http://[2001:db8:1234:5678:abcd:ef01:2345:6789]/'
    assert.equal(scan(screen({ ...FACTS, v4: [], url }, { columns: 80, rows: 25 }), 80, 25), url)
  })

  it('asks for a cable where there is no address', () => {
    const text = screen(
      { ...FACTS, v4: [], v6: [], url: undefined },
      { columns: 80, rows: 25 },
    ).join('\n')
    assert.match(text, /address {3}none yet: is the cable in\?/)
    assert.doesNotMatch(text, /█/)
  })

  it('says what was not taken from the card, as far as there is room', () => {
    const faults = ['btlinkd.yaml:2: /dns/port must be at most 65535, got 70000']
    const text = screen({ ...FACTS, faults }, { columns: 80, rows: 25 }).join('\n')
    assert.match(
      text,
      /\n\nNot taken from the card:\n- btlinkd\.yaml:2: \/dns\/port must be at most 65535, got 70000$/,
    )
    const many = screen(
      { ...FACTS, faults: Array.from({ length: 50 }, () => 'x'.repeat(70)) },
      { columns: 80, rows: 25 },
    )
    assert.equal(many.length, 24)
    assert.match(many.at(-1) ?? '', /more in btlinkd\.errors\.txt on the card/)
  })

  it('never has more lines than rows, nor lines longer than columns, nor what steers a terminal', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 })
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 200 }),
        fc.integer({ min: 5, max: 80 }),
        fc.array(text, { maxLength: 12 }),
        text,
        fc.boolean(),
        (columns, rows, faults, health, hasUrl) => {
          const url = hasUrl ? FACTS.url : undefined
          const said = { health, name: health, version: health, words: faults, v4: faults }
          const facts = { ...FACTS, ...said, faults, url }
          const lines = screen(facts, { columns, rows })
          assert.ok(lines.length < rows, `${lines.length} lines on ${rows} rows`)
          for (const line of lines) {
            assert.ok(line.length <= columns, `${line.length} on ${columns}: ${line}`)
            assert.match(line, /^[\x20-\x7e█▀▄…]*$/)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('a terminal', () => {
  it('is drawn where it shows something else, and only then', async (t) => {
    const folder = await tempFolder(t, 'console')
    const device = join(folder, 'ttyS9')
    await writeFile(device, '')
    let line = 'first'
    const go = () =>
      draw(device, {
        memory: join(folder, 'memory'),
        size: {},
        linesFor: ({ columns, rows }) => [line, `${columns}x${rows}`],
      })
    assert.equal(await go(), true)
    const text = await readFile(device, 'utf8')
    assert.equal(text, '\x1b%G\x1b[H\x1b[2J\x1b[?25lfirst\r\n80x25\r\n')
    const { mtimeMs } = await stat(device)
    assert.equal(await go(), false)
    assert.equal((await stat(device)).mtimeMs, mtimeMs)
    line = 'second'
    assert.equal(await go(), true)
  })

  it('that is not there is the failure of that one', async (t) => {
    const folder = await tempFolder(t, 'console')
    await assert.rejects(
      draw(join(folder, 'none'), { memory: folder, size: {}, linesFor: () => [] }),
      { code: 'ENOENT' },
    )
  })
})
