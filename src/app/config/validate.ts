/** Checks a written value against the schema, fills in defaults, and turns units into numbers. */
import { parseDuration, parseSize } from '../../base/units.ts'
import { nearest } from './nearest.ts'

/** As much of JSON Schema as the sections use, with our keywords `unit`, `secret` and `shape`. */
export interface Schema {
  type?: string
  properties?: Record<string, Schema>
  items?: Schema
  anyOf?: Schema[]
  const?: unknown
  enum?: unknown[]
  default?: unknown
  description?: string
  minimum?: number
  maximum?: number
  pattern?: string
  /** What the pattern wants, in words. */
  shape?: string
  minLength?: number
  maxLength?: number
  maxItems?: number
  unit?: string
  secret?: boolean
}

export interface Mistake {
  /** JSON pointer (RFC 6901). */
  pointer: string
  message: string
  /** The known key that was likely meant. */
  nearest?: string
}

const MAX_ITEMS = 1000
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
/** RFC 6901: `~` and `/` are escaped. */
const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

export function choices(schema: Schema): unknown[] | undefined {
  if (schema.enum) return schema.enum
  const constants = schema.anyOf?.map((option) => option.const)
  return constants?.every((value) => value !== undefined) ? constants : undefined
}

interface Alternative {
  words: unknown[]
  other: Schema
}

/** `off` and its like beside a value of another kind: the words, and what else it may be. */
export function alternative(schema: Schema): Alternative | undefined {
  const other = schema.anyOf?.find((option) => option.const === undefined)
  if (!other || choices(schema)) return undefined
  const words = (schema.anyOf ?? []).flatMap((option) => option.const ?? [])
  return { words, other }
}

/** More than anybody reads; to find what was meant by a thousand keys takes seconds. */
const MAX_MISTAKES = 100

/** Every mistake is told, not only the first. The value is whole where there is none. */
export function validate(schema: Schema, value: unknown): { value: unknown; mistakes: Mistake[] } {
  const mistakes: Mistake[] = []
  return { value: check(schema, value, '', mistakes), mistakes }
}

function check(schema: Schema, value: unknown, pointer: string, mistakes: Mistake[]): unknown {
  const wrong = (message: string): undefined => {
    const shownMessage = schema.secret
      ? 'is not what is expected here (the value is secret)'
      : message
    mistakes.push({ pointer, message: shownMessage })
    return undefined
  }
  if (schema.properties) {
    // A section written without keys (`dht:`) is null in YAML and means its defaults.
    if (value !== undefined && value !== null && !isObject(value)) {
      return wrong(`must be a section with keys, got ${shown(value)}`)
    }
    return checkObject(schema.properties, value ?? {}, pointer, mistakes)
  }
  if (value === undefined) return structuredClone(schema.default)
  const allowed = choices(schema)
  if (allowed) {
    if (allowed.includes(value)) return value
    const near = typeof value === 'string' ? nearest(value, allowed.map(String)) : undefined
    const message = `must be one of ${allowed.map(String).join(', ')}, got ${shown(value)}`
    if (near === undefined) return wrong(message)
    mistakes.push({ pointer, message, nearest: near })
    return undefined
  }
  const either = alternative(schema)
  if (either) {
    const { found, fault } = checkAlternative(either, value)
    return fault === undefined ? found : wrong(fault)
  }
  if (schema.type === 'array') return checkArray(schema, value, pointer, mistakes)
  if (schema.type === 'boolean') {
    return typeof value === 'boolean' ? value : wrong(`must be true or false, got ${shown(value)}`)
  }
  if (schema.type === 'string') {
    const fault = faultOfText(schema, value)
    return fault === undefined ? value : wrong(fault)
  }
  const parsed = numberOf(schema, value)
  if (parsed === undefined) return wrong(`must be ${numberWords(schema)}, got ${shown(value)}`)
  const fault = outOfBounds(schema, parsed, value)
  return fault === undefined ? parsed : wrong(fault)
}

function checkAlternative(
  { words, other }: Alternative,
  value: unknown,
): { found?: unknown; fault?: string } {
  if (words.includes(value)) return { found: value }
  const inner = validate(other, value)
  const [first] = inner.mistakes
  if (!first) return { found: inner.value }
  return {
    fault: `must be ${words.map(String).join(', ')}, or ${first.message.replace(/^must be /, '')}`,
  }
}

function checkObject(
  properties: Record<string, Schema>,
  written: Record<string, unknown>,
  pointer: string,
  mistakes: Mistake[],
): Record<string, unknown> {
  for (const key of Object.keys(written)) {
    if (Object.hasOwn(properties, key)) continue
    if (mistakes.length >= MAX_MISTAKES) break
    const near = nearest(key, Object.keys(properties))
    mistakes.push({
      pointer: `${pointer}/${escaped(key)}`,
      message: 'is not a known key',
      ...(near !== undefined && { nearest: near }),
    })
  }
  return Object.fromEntries(
    Object.entries(properties).map(([key, property]) => [
      key,
      check(
        property,
        Object.hasOwn(written, key) ? written[key] : undefined,
        `${pointer}/${escaped(key)}`,
        mistakes,
      ),
    ]),
  )
}

function checkArray(
  schema: Schema,
  value: unknown,
  pointer: string,
  mistakes: Mistake[],
): unknown[] | undefined {
  const most = schema.maxItems ?? MAX_ITEMS
  if (!Array.isArray(value) || value.length > most) {
    const message = Array.isArray(value)
      ? `has more than ${most} entries`
      : `must be a list, got ${shown(value)}`
    mistakes.push({ pointer, message })
    return undefined
  }
  const { items = {} } = schema
  return value.map((item: unknown, index) => check(items, item, `${pointer}/${index}`, mistakes))
}

function faultOfText(schema: Schema, value: unknown): string | undefined {
  if (typeof value !== 'string') return `must be text, got ${shown(value)}`
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) {
    const wanted = schema.shape === undefined ? `match ${schema.pattern}` : `be ${schema.shape}`
    return `must ${wanted}, got ${shown(value)}`
  }
  if (value.length < (schema.minLength ?? 0)) return 'is too short'
  if (value.length > (schema.maxLength ?? 4096)) return 'is too long'
  return undefined
}

function numberOf(schema: Schema, value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  if (schema.unit === 'btl-size') return parseSize(value)
  if (schema.unit === 'btl-duration') return parseDuration(value)
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  return schema.type === 'integer' && !Number.isSafeInteger(value) ? undefined : value
}

function numberWords(schema: Schema): string {
  if (schema.unit === 'btl-size') return 'a size like 100MB or a number of bytes'
  if (schema.unit === 'btl-duration') return 'a duration like 90d, 10m or a number of seconds'
  return schema.type === 'integer' ? 'a whole number' : 'a number'
}

function outOfBounds(schema: Schema, parsed: number, written: unknown): string | undefined {
  const unit = schema.unit === 'btl-duration' ? ' ms' : schema.unit === 'btl-size' ? ' bytes' : ''
  if (schema.minimum !== undefined && parsed < schema.minimum) {
    return `must be at least ${schema.minimum}${unit}, got ${shown(written)}`
  }
  if (schema.maximum !== undefined && parsed > schema.maximum) {
    return `must be at most ${schema.maximum}${unit}, got ${shown(written)}`
  }
  return undefined
}
