/** A set of bytes as merged half-open ranges: which parts of a file are there. */
import type { ByteRange } from './ports/torrent-engine.ts'

export interface ByteRanges {
  add(range: ByteRange): void
  /** End of the run that holds byte `at`; `at` itself where that byte is missing. */
  reach(at: number): number
  covers(range: ByteRange): boolean
  /** In order, not touching. */
  list(): ByteRange[]
  clear(): void
}

export function createByteRanges(initial: readonly ByteRange[] = []): ByteRanges {
  let ranges: ByteRange[] = []

  /** Index of the first range that ends at or after `at`. */
  function search(at: number): number {
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ranges[middle]?.end ?? 0) < at) low = middle + 1
      else high = middle
    }
    return low
  }

  function add(range: ByteRange): void {
    if (range.end <= range.start) return
    const first = search(range.start)
    let last = first
    let { start, end } = range
    for (let found = ranges[last]; found && found.start <= end; found = ranges[++last]) {
      start = Math.min(start, found.start)
      end = Math.max(end, found.end)
    }
    ranges.splice(first, last - first, { start, end })
  }

  function reach(at: number): number {
    const found = ranges[search(at + 1)]
    return found && found.start <= at ? found.end : at
  }

  for (const range of initial) add(range)

  return {
    add,
    reach,
    covers: (range) => range.end <= range.start || reach(range.start) >= range.end,
    list: () => ranges.map((range) => ({ ...range })),
    clear() {
      ranges = []
    },
  }
}
