import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { apply, BadLog, entriesOf, isPoint, type LogEntry } from './log-writes.ts'

const SECTOR = 512
const DISK = 64 * SECTOR
const MAGIC = 0x6a_7366_7773_6872n

interface Written {
  sector: number
  data?: Uint8Array
  sectors?: number
  flags?: number
  mark?: string
}

function sectorOf(...numbers: (number | bigint)[]): Buffer {
  const sector = Buffer.alloc(SECTOR)
  numbers.forEach((number, index) => sector.writeBigUInt64LE(BigInt(number), index * 8))
  return sector
}

function logOf(
  writes: Written[],
  head: Buffer = sectorOf(MAGIC, 1, writes.length, SECTOR),
): Buffer {
  const parts = writes.flatMap(({ sector, data, sectors, flags = 0, mark = '' }) => {
    const entry = sectorOf(sector, sectors ?? (data?.length ?? 0) / SECTOR, flags, mark.length)
    entry.write(mark, 32)
    return data ? [entry, Buffer.from(data)] : [entry]
  })
  return Buffer.concat([head, ...parts])
}

const reader = (log: Uint8Array) => (at: number, length: number) => log.subarray(at, at + length)
const all = (log: Uint8Array): LogEntry[] => [...entriesOf(reader(log), DISK)]
const bytes = (fill: number, sectors = 1): Uint8Array => new Uint8Array(sectors * SECTOR).fill(fill)

describe('a log of writes', () => {
  it('makes the disk of every place in it', () => {
    const log = logOf([
      { sector: 1, data: bytes(1) },
      { sector: 0, flags: 1 },
      { sector: 0, flags: 8, mark: 'acked one' },
      { sector: 2, data: bytes(2, 3), flags: 2 },
      { sector: 3, sectors: 1, flags: 4 },
    ])
    const image = new Uint8Array(DISK)
    const seen = all(log).map((entry) => {
      apply(image, entry, reader(log))
      return [isPoint(entry), entry.mark, image[SECTOR], image[2 * SECTOR], image[3 * SECTOR]]
    })
    assert.deepEqual(seen, [
      [false, undefined, 1, 0, 0],
      [true, undefined, 1, 0, 0],
      [true, 'acked one', 1, 0, 0],
      [true, undefined, 1, 2, 2],
      [false, undefined, 1, 2, 0],
    ])
  })

  const broken: Record<string, Buffer> = {
    'that is empty': Buffer.alloc(0),
    'of another kind': logOf([], sectorOf(1, 1, 0, SECTOR)),
    'of another version': logOf([], sectorOf(MAGIC, 2, 0, SECTOR)),
    'with sectors of no known size': logOf([], sectorOf(MAGIC, 1, 0, 513)),
    'of more entries than it has': logOf([], sectorOf(MAGIC, 1, 1, SECTOR)),
    'of more entries than can be': logOf([], sectorOf(MAGIC, 1, 1n << 60n, SECTOR)),
    'with flags nobody knows': logOf([{ sector: 0, flags: 32 }]),
    'that writes behind the disk': logOf([{ sector: 64, data: bytes(1) }]),
    'that writes more than the disk': logOf([{ sector: 0, sectors: 65 }]),
    'with a mark longer than its sector': logOf(
      [],
      Buffer.concat([sectorOf(MAGIC, 1, 1, SECTOR), sectorOf(0, 0, 8, 481)]),
    ),
    'with text where no mark is': logOf([{ sector: 0, flags: 1, mark: 'x' }]),
    'that ends within its data': logOf([{ sector: 0, sectors: 4, data: bytes(1) }]),
  }
  for (const [what, log] of Object.entries(broken)) {
    it(`refuses one ${what}`, () => {
      const replay = (): void => {
        const image = new Uint8Array(DISK)
        for (const entry of entriesOf(reader(log), DISK)) apply(image, entry, reader(log))
      }
      assert.throws(replay, BadLog)
    })
  }

  it('takes whatever comes, or refuses it', () => {
    const head = sectorOf(MAGIC, 1, 3, SECTOR)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4 * SECTOR, minLength: SECTOR }), (noise) => {
        try {
          all(Buffer.concat([head, noise]))
        } catch (error) {
          assert.ok(error instanceof BadLog)
        }
      }),
    )
  })
})
