/** What is written about the configuration: the reference page, the sample file, the JSON Schema. */
import { formatSize } from '../../base/units.ts'
import { configSchema } from './schema.ts'
import { alternative, choices, type Schema } from './validate.ts'

const HOUR = 3_600_000
const DURATIONS: [number, string][] = [
  [24 * HOUR, 'd'],
  [HOUR, 'h'],
  [60_000, 'm'],
  [1000, 's'],
  [1, 'ms'],
]

function durationText(ms: number): string {
  const [unitMs, unit] = DURATIONS.find(([size]) => ms >= size && ms % size === 0) ?? [1, 'ms']
  return `${ms / unitMs}${unit}`
}

/** A value as people write it: `100MB`, `15m`, `"text"`. */
export function written(schema: Schema, value: unknown): string {
  if (schema.unit === 'btl-size' && typeof value === 'number') {
    const text = formatSize(value).replace(' ', '')
    return value < 1024 || /\./.test(text) ? String(value) : text
  }
  if (schema.unit === 'btl-duration' && typeof value === 'number') return durationText(value)
  if (Array.isArray(value)) return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`
  return typeof value === 'string' && choices(schema) ? value : JSON.stringify(value)
}

function kind(schema: Schema): string {
  const allowed = choices(schema)
  if (allowed) return allowed.map((value) => `\`${String(value)}\``).join(', ')
  const either = alternative(schema)
  if (either)
    return `${either.words.map((word) => `\`${String(word)}\``).join(', ')} or ${kind(either.other)}`
  if (schema.unit === 'btl-size') return 'size'
  if (schema.unit === 'btl-duration') return 'duration'
  if (schema.type === 'array') return 'list'
  if (schema.type === 'boolean') return 'true, false'
  if (schema.type === 'string') return 'text'
  return schema.type === 'integer' ? 'whole number' : 'number'
}

function bounds(schema: Schema): string {
  const { minimum, maximum } = schema
  const low = minimum === undefined || minimum === 0 ? '' : written(schema, minimum)
  const high = maximum === undefined ? '' : written(schema, maximum)
  if (low === '' && high === '') return ''
  if (high === '') return `, from ${low}`
  return low === '' ? `, up to ${high}` : `, ${low} to ${high}`
}

interface Row {
  key: string
  schema: Schema
}

function rowsOf(schema: Schema, prefix: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) =>
    property.properties
      ? rowsOf(property, `${prefix}${key}.`)
      : [{ key: `${prefix}${key}`, schema: property }],
  )
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ key, schema }) =>
      `| \`${key}\` | ${kind(schema)}${bounds(schema)} | \`${written(schema, schema.default)}\` | ${schema.description ?? ''} |`,
  )
  return ['| key | value | default | what it does |', '|---|---|---|---|', ...lines].join('\n')
}

const sections = (): [string, Schema][] => Object.entries(configSchema.properties ?? {})

/** The page docs/configuration.md. */
export function referencePage(): string {
  const top = sections().filter(([, schema]) => !schema.properties)
  const rest = sections().filter(([, schema]) => schema.properties)
  const parts = rest.map(([name, schema]) => `## ${name}\n\n${table(rowsOf(schema, ''))}`)
  return `# Configuration

One YAML file: \`--config FILE\`, else \`./btlinkd.yaml\` where there is one. Without a file the defaults below hold. A variable such as \`BTLINKD_DHT__PORT=0\` wins over the file: two underscores stand between the levels.

Sizes count in 1024: \`100MB\` is 104857600. Durations are \`90d\`, \`12h\`, \`10m\`, \`900s\`, \`250ms\`, or bare seconds. Every port may be 0, which picks a free one; the ports in use are in \`<state>/run/listeners.json\` and in \`btlinkd status --json\`. A key that is not listed here fails: \`btlinkd config check\` names every mistake with its line.

This page is made by \`btlinkd config reference\`.

## Top level

${table(top.map(([key, schema]) => ({ key, schema })))}

${parts.join('\n\n')}
`
}

function sampleOf(schema: Schema, indent: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    if (property.properties) return [`${indent}${key}:`, ...sampleOf(property, `${indent}  `), '']
    const value = written(property, property.default)
    return [`${indent}# ${property.description ?? ''}`, `${indent}${key}: ${value}`]
  })
}

/** The file docs/btlinkd.sample.yaml: every key with its default. */
export function sampleFile(): string {
  const lines = sampleOf(configSchema, '')
  const text = `# btlinkd: every key with its default, made by \`btlinkd config sample\`.\n\n${lines.join('\n')}`
  return `${text.replace(/\n{3,}/g, '\n\n').trimEnd()}\n`
}

/** JSON Schema (2020-12) of the file, for editors. */
export function jsonSchema(): string {
  const plain = plainSchema(configSchema)
  const head = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'btlinkd configuration',
  }
  return `${JSON.stringify({ ...head, ...plain }, undefined, 2)}\n`
}

/** Units become what people may write; no key is required, since each has a default. */
function plainSchema(schema: Schema): Record<string, unknown> {
  const { properties, unit, secret: _, minimum, maximum, ...rest } = schema
  if (properties) {
    const below = Object.entries(properties).map(([key, value]) => [key, plainSchema(value)])
    return { type: 'object', additionalProperties: false, properties: Object.fromEntries(below) }
  }
  if (unit !== undefined) {
    return {
      type: ['number', 'string'],
      description: schema.description,
      default: written(schema, schema.default),
    }
  }
  return {
    ...rest,
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
  }
}

/** The effective values as YAML, secrets hidden. */
export function effectiveYaml(config: unknown): string {
  const lines = (schema: Schema, value: unknown, indent: string): string[] =>
    Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
      const at = (value as Record<string, unknown>)[key]
      if (property.properties) return [`${indent}${key}:`, ...lines(property, at, `${indent}  `)]
      return [`${indent}${key}: ${written(property, hidden(property, at))}`]
    })
  return `${lines(configSchema, config, '').join('\n')}\n`
}

function hidden(schema: Schema, value: unknown): unknown {
  if (schema.secret !== true || value === '') return value
  return Array.isArray(value) ? value.map(() => '***') : '***'
}

/** A copy with secrets hidden, for logs and `--json`. */
export function withoutSecrets(config: unknown, schema: Schema = configSchema): unknown {
  if (!schema.properties) return hidden(schema, config)
  const entries = Object.entries(schema.properties).map(([key, property]) => [
    key,
    withoutSecrets((config as Record<string, unknown>)[key], property),
  ])
  return Object.fromEntries(entries)
}

/** Paths of the keys whose values are secrets, and set. */
export function secretsIn(value: unknown, schema: Schema = configSchema): string[][] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const below = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
    if (property.properties) return secretsIn(below, property).map((path) => [key, ...path])
    const isSet = below !== undefined && below !== null && below !== ''
    return property.secret === true && isSet ? [[key]] : []
  })
}
