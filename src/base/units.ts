/** Sizes and durations as people write them in configuration, and sizes as people read them. */

const SIZE = /^(\d+(?:\.\d+)?)\s*(B|K|KB|KIB|M|MB|MIB|G|GB|GIB|T|TB|TIB)?$/i
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)?$/i
const POWER: Record<string, number> = { B: 0, K: 1, M: 2, G: 3, T: 4 }
const MS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** Bytes of `100MB`, `2 GiB`, `4096`: every unit counts in 1024, as the seed's sizes do. Undefined where it is none. */
export function parseSize(text: string | number): number | undefined {
  const match = SIZE.exec(String(text).trim())
  if (!match) return undefined
  const power = POWER[(match[2] ?? 'B').charAt(0).toUpperCase()] ?? 0
  const bytes = Math.round(Number(match[1]) * 1024 ** power)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Milliseconds of `90d`, `900s`, `10m`, or of a bare number of seconds. Undefined where it is none. */
export function parseDuration(text: string | number): number | undefined {
  const match = DURATION.exec(String(text).trim())
  if (!match) return undefined
  const ms = Math.round(Number(match[1]) * (MS[(match[2] ?? 's').toLowerCase()] ?? 1000))
  return Number.isSafeInteger(ms) ? ms : undefined
}

/** `1536` as `1.5 KB`, in 1024 like `parseSize`. */
export function formatSize(bytes: number): string {
  let value = bytes
  let unit = 0
  const names = ['B', 'KB', 'MB', 'GB', 'TB']
  // From 1023.5 on a value would be rounded to 1024 of its unit.
  while (value >= 1023.5 && unit < names.length - 1) {
    value /= 1024
    unit++
  }
  const text = unit === 0 || value >= 100 ? Math.round(value).toString() : value.toFixed(1)
  return `${text.replace(/\.0$/, '')} ${names[unit]}`
}
