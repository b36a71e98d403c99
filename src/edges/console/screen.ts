/** What a screen at the box shows, as plain lines: nothing of it is a secret, and nothing can be typed. */
import { printable } from '../../base/errors.ts'
import { qrLines } from './qr-lines.ts'

export interface ScreenFacts {
  /** `btlink.local` */
  name: string
  version: string
  /** Without those that only neighbours on one cable can use. */
  v4: readonly string[]
  v6: readonly string[]
  /** Where the root page is; undefined while there is no address. */
  url: string | undefined
  /** Of the root certificate; undefined while there is none. */
  words: readonly string[] | undefined
  clock: string
  health: string
  /** Of the files on the card. */
  faults: readonly string[]
}

export interface ScreenSize {
  columns: number
  rows: number
}

const LABEL = 10
const MOST_ADDRESSES = 2
const MOST_FAULTS = 8
/** Of one fact. */
const MOST_LETTERS = 200
const MIN_COLUMNS = 20
/** Beside the code. */
const MIN_WORDS = 34
const GAP = 2

/** Breaks at spaces; a word that is too long is cut. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const next = line === '' ? word : `${line} ${word}`
    if (next.length <= width) line = next
    else {
      if (line !== '') lines.push(line)
      line = word.slice(0, width)
      // An address or a path has no spaces, and must be readable to its end.
      for (let rest = word.slice(width); rest !== ''; rest = rest.slice(width)) {
        lines.push(line)
        line = rest.slice(0, width)
      }
    }
  }
  return [...lines, line]
}

function entry(label: string, text: string, width: number): string[] {
  // Also names of the machine are given by others: by a DHCP server, for one.
  const [first = '', ...more] = wrapped(printable(text, MOST_LETTERS), width - LABEL)
  return [label.padEnd(LABEL) + first, ...more.map((line) => ' '.repeat(LABEL) + line)]
}

function addresses({ v4, v6 }: ScreenFacts): string[] {
  const shown = [...v4.slice(0, MOST_ADDRESSES), ...v6.slice(0, MOST_ADDRESSES)]
  return shown.length === 0 ? ['none yet: is the cable in?'] : shown
}

type Fact = 'name' | 'address' | 'open' | 'health' | 'clock' | 'version' | 'root'

/** What goes first where a code has no room below the words; the code itself says where to open. */
const FIRST_TO_GO: readonly Fact[] = ['open', 'version', 'clock', 'root']

function factLines(facts: ScreenFacts, width: number, without: readonly Fact[] = []): string[] {
  const { name, version, url, words, clock, health } = facts
  const [first = '', ...more] = addresses(facts)
  const all: [Fact, string[]][] = [
    ['name', entry('name', name, width)],
    ['address', entry('address', first, width)],
    ['address', more.flatMap((address) => entry('', address, width))],
    ['open', url === undefined ? [] : entry('open', url, width)],
    ['health', entry('health', health, width)],
    ['clock', entry('clock', clock, width)],
    ['version', entry('version', version, width)],
    ['root', words ? entry('root', words.join(' '), width) : []],
  ]
  return all.flatMap(([fact, lines]) => (without.includes(fact) ? [] : lines))
}

function faultLines(faults: readonly string[], width: number, room: number): string[] {
  if (faults.length === 0 || room < 2) return []
  const lines = faults
    .slice(0, MOST_FAULTS)
    .flatMap((fault) =>
      wrapped(printable(fault, 300), width - 2).map(
        (line, at) => `${at === 0 ? '- ' : '  '}${line}`,
      ),
    )
  const shown = lines.slice(0, room - 1)
  if (shown.length < lines.length && shown.length > 0) {
    shown[shown.length - 1] = '  … more in btlinkd.errors.txt on the card'.slice(0, width)
  }
  return ['Not taken from the card:'.slice(0, width), ...shown]
}

function beside(left: readonly string[], right: readonly string[], width: number): string[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, row) =>
    `${(left[row] ?? '').padEnd(width)}${' '.repeat(GAP)}${right[row] ?? ''}`.trimEnd(),
  )
}

/**
 * At most `rows - 1` lines of at most `columns` characters: the last row stays free, since a line there
 * makes some terminals scroll.
 */
export function screen(facts: ScreenFacts, size: ScreenSize): string[] {
  const columns = Math.max(MIN_COLUMNS, size.columns)
  const rows = Math.max(4, size.rows - 1)
  const title = 'btlinkd'
  const code = facts.url === undefined ? [] : qrLines(facts.url)
  const width = code[0]?.length ?? 0
  const isWide = columns >= width + GAP + MIN_WORDS && rows >= code.length + 2

  const body = (): string[] => {
    if (code.length > 0 && isWide) {
      return beside(code, [title, '', ...factLines(facts, columns - width - GAP)], width)
    }
    const all = [title, ...factLines(facts, columns)]
    if (width === 0 || columns < width) return all
    for (let gone = 0; gone <= FIRST_TO_GO.length; gone++) {
      const words = [title, ...factLines(facts, columns, FIRST_TO_GO.slice(0, gone))]
      if (rows >= words.length + code.length) return [...words, ...code]
    }
    return all
  }
  const lines = body().slice(0, rows)
  const below = faultLines(facts.faults, columns, rows - lines.length - 1)
  return below.length === 0 ? lines : [...lines, '', ...below]
}
