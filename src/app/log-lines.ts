/**
 * Log lines for people (`text`) or programs (`json`), one line an event. Small on purpose: it runs in
 * the supervisor too, which must weigh next to nothing.
 */
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
  const words = Array.isArray(known) && known.every(isText) ? known.join(',') : known
  const text = isText(words) ? words : (JSON.stringify(words) ?? 'undefined')
  const cut = text.length > MAX_FIELD_CHARACTERS ? `${text.slice(0, MAX_FIELD_CHARACTERS)}…` : text
  return /^[\w.:/@+,[\]-]+$/.test(cut) ? cut : JSON.stringify(cut)
}

function textLine(level: Level, source: string, fields: object, message: string): string {
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${quoted(value)}`)
  return `${new Date().toISOString()} ${level.padEnd(5)} ${source}: ${message}${pairs.join('')}\n`
}

function jsonLine(level: Level, source: string, fields: object, message: string): string {
  const known = Object.entries(fields).map(([key, value]) => [key, plain(value)])
  const entry = { time: new Date().toISOString(), level, source, message }
  return `${JSON.stringify({ ...Object.fromEntries(known), ...entry })}\n`
}

export function createLog(
  source: string,
  options: LogOptions,
  write: (line: string) => void = (line) => process.stderr.write(line),
): Log {
  const least = LEVELS.indexOf(options.level)
  const format = options.format === 'json' ? jsonLine : textLine
  const at =
    (level: Level) =>
    (fields: object, message: string): void => {
      if (LEVELS.indexOf(level) >= least) write(format(level, source, fields, message))
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
