/** Puts a screen onto a terminal: as a whole, and only where it shows something else. */
import { constants } from 'node:fs'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isatty, WriteStream } from 'node:tty'
import type { ScreenSize } from './screen.ts'

// console_codes(4): UTF-8, home, clear, no cursor.
const BEFORE = '\x1b%G\x1b[H\x1b[2J\x1b[?25l'
/** A serial line of 9600 baud takes four seconds for a screen; one without a reader takes none. */
const PATIENCE_MS = 8000
/** Serial lines do not know their size. */
const FALLBACK: ScreenSize = { columns: 80, rows: 25 }
const MIN: ScreenSize = { columns: 20, rows: 4 }

export interface DrawOptions {
  /** Where it is remembered what each terminal shows; gone with the next boot. */
  memory: string
  /** In the place of what the terminal says. */
  size: Partial<ScreenSize>
  linesFor: (size: ScreenSize) => readonly string[]
}

const textOf = (lines: readonly string[]): string => `${BEFORE}${lines.join('\r\n')}\r\n`

async function write(stream: WriteStream, text: string, signal: AbortSignal): Promise<void> {
  const written = new Promise<void>((done, failed) => {
    stream.once('error', failed)
    stream.write(text, (error) => (error ? failed(error) : done()))
  })
  const late = sleep(PATIENCE_MS, undefined, { signal }).then(
    () => {
      throw new Error(`takes nothing within ${PATIENCE_MS / 1000} s`)
    },
    () => {},
  )
  await Promise.race([written, late])
}

/** @returns whether anything was drawn; what the terminal is, is not changed */
export async function draw(device: string, options: DrawOptions): Promise<boolean> {
  const { memory, size, linesFor } = options
  const shownFile = join(memory, basename(device))
  const shown = await readFile(shownFile, 'utf8').catch(() => undefined)
  // Not waiting for a modem, and not becoming ours.
  const handle = await open(device, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
  const done = new AbortController()
  let stream: WriteStream | undefined
  try {
    stream = isatty(handle.fd) ? new WriteStream(handle.fd) : undefined
    const { columns = 0, rows = 0 } = stream ?? {}
    const own = columns >= MIN.columns && rows >= MIN.rows ? { columns, rows } : FALLBACK
    const text = textOf(linesFor({ ...own, ...size }))
    if (text === shown) return false
    if (stream) await write(stream, text, done.signal)
    else await handle.writeFile(text)
    await mkdir(memory, { recursive: true })
    await writeFile(shownFile, text)
    return true
  } finally {
    done.abort()
    // The stream reopened the terminal: what it closes is its own.
    stream?.destroy()
    await handle.close().catch(() => undefined)
  }
}
