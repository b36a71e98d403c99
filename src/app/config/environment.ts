/** Keys set in the environment: `BTLINKD_DHT__PORT=0` is `dht.port`. */
import type { Schema } from './validate.ts'

const PREFIX = 'BTLINKD_'
/** Systemd, the launcher and tests may pass these; they are no keys. */
const NOT_KEYS = new Set(['BTLINKD_CONFIG'])

export interface EnvironmentValue {
  variable: string
  /** Key of each level. */
  path: string[]
  value: unknown
}

function listOf(text: string): unknown {
  if (!text.trim().startsWith('['))
    return text === '' ? [] : text.split(',').map((part) => part.trim())
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function typed(schema: Schema | undefined, text: string): unknown {
  if (schema?.type === 'boolean') return { true: true, false: false }[text.toLowerCase()] ?? text
  if (schema?.type === 'array') return listOf(text)
  const numeric = schema?.type === 'number' || schema?.type === 'integer'
  return numeric && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}

/** What a text means at a place of the schema. */
export const valueAt = (schema: Schema, path: readonly string[], text: string): unknown =>
  typed(
    path.reduce<Schema | undefined>((level, key) => level?.properties?.[key], schema),
    text,
  )

export function readEnvironment(schema: Schema, env: NodeJS.ProcessEnv): EnvironmentValue[] {
  return Object.entries(env).flatMap(([variable, text]) => {
    if (!variable.startsWith(PREFIX) || text === undefined || NOT_KEYS.has(variable)) return []
    const path = variable.slice(PREFIX.length).toLowerCase().split('__')
    return [{ variable, path, value: valueAt(schema, path, text) }]
  })
}

/** A copy of `value` with the variables set in it. */
export function withEnvironment(value: unknown, variables: readonly EnvironmentValue[]): unknown {
  const merged: unknown = structuredClone(value)
  if (typeof merged !== 'object' || merged === null)
    return variables.length === 0 ? merged : withEnvironment({}, variables)
  for (const { path, value: set } of variables) {
    let level = merged as Record<string, unknown>
    for (const key of path.slice(0, -1)) {
      const below = level[key]
      const next = typeof below === 'object' && below !== null ? below : {}
      Object.defineProperty(level, key, {
        value: next,
        enumerable: true,
        writable: true,
        configurable: true,
      })
      level = next as Record<string, unknown>
    }
    const last = path.at(-1) ?? ''
    Object.defineProperty(level, last, {
      value: set,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  }
  return merged
}
