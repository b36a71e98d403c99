/**
 * Log lines for people (`text`) or programs (`json`), one line an event. Small on purpose: it runs in
 * the supervisor too, which must weigh next to nothing.
 */
import { fstatSync } from 'node:fs'
import type { Log } from '../base/ports/log.ts'

export interface LogOptions {
  level: 'debug' | 'info' | 'warn' | 'error'
  format: 'text' | 'json'
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof LEVELS)[number]

// A record that a stranger made long must not fill the disk.
const MAX_FIELD_CHARACTERS = 500

function plain(value: unknown): unknown {
  if (value instanceof Error) return value.message
  if (typeof value === 'bigint') return value.toString()
  return value
}

const isText = (value: unknown): value is string => typeof value === 'string'

/** What a stranger sent cannot start a new line or move the cursor. */
function quoted(value: unknown): string {
  const known = plain(value)
  // A list of words reads as people write one.
  const joined = Array.isArray(known) && known.every(isText) ? known.join(',') : known
  const text = isText(joined) ? joined : (JSON.stringify(joined) ?? 'undefined')
  const cut = text.length > MAX_FIELD_CHARACTERS ? `${text.slice(0, MAX_FIELD_CHARACTERS)}…` : text
  return /^[\w.:/@+,[\]-]+$/.test(cut) ? cut : JSON.stringify(cut)
}

function words(source: string, fields: object, message: string): string {
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${quoted(value)}`)
  return `${source}: ${message}${pairs.join('')}\n`
}

const textLine = (level: Level, source: string, fields: object, message: string): string =>
  `${new Date().toISOString()} ${level.padEnd(5)} ${words(source, fields, message)}`

function jsonLine(level: Level, source: string, fields: object, message: string): string {
  const known = Object.entries(fields).map(([key, value]) => [key, plain(value)])
  const entry = { time: new Date().toISOString(), level, source, message }
  return `${JSON.stringify({ ...Object.fromEntries(known), ...entry })}\n`
}

/** sd-daemon(3): the journal takes the priority from the line's beginning. */
const PRIORITY: Record<Level, string> = { debug: '<7>', info: '<6>', warn: '<4>', error: '<3>' }

/** The journal knows when, and shows the priority its own way. */
const journalLine = (_: Level, source: string, fields: object, message: string): string =>
  words(source, fields, message)

/** systemd.exec(5), JOURNAL_STREAM: device and inode of the stream that leads to the journal. */
export function isJournal(stated: string | undefined, fd = 2): boolean {
  if (stated === undefined || stated === '') return false
  try {
    const { dev, ino } = fstatSync(fd)
    return stated === `${dev}:${ino}`
  } catch {
    return false
  }
}

export function createLog(
  source: string,
  options: LogOptions,
  write: (line: string) => void = (line) => process.stderr.write(line),
  toJournal = isJournal(process.env['JOURNAL_STREAM']),
): Log {
  const least = LEVELS.indexOf(options.level)
  const asText = toJournal ? journalLine : textLine
  const format = options.format === 'json' ? jsonLine : asText
  // The journal takes it off the line again: what it has of JSON is JSON.
  const priorityOf = (level: Level): string => (toJournal ? PRIORITY[level] : '')
  const at =
    (level: Level) =>
    (fields: object, message: string): void => {
      if (LEVELS.indexOf(level) >= least)
        write(priorityOf(level) + format(level, source, fields, message))
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
