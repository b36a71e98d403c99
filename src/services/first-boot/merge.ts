/** What was changed in one copy of the settings since both were the same, brought into the other. */

/** A key on each level. */
type Path = readonly string[]

export interface Change {
  path: Path
  /** Undefined where the key was taken out. */
  value: unknown
  /** Set on the box to something else meanwhile, and given up for this. */
  lost?: { value: unknown }
}

type Section = Record<string, unknown>

const MAX_DEPTH = 12

const isSection = (value: unknown): value is Section =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const at = (section: unknown, key: string): unknown =>
  isSection(section) && Object.hasOwn(section, key) ? section[key] : undefined

const keysOf = (value: unknown): string[] => (isSection(value) ? Object.keys(value) : [])

/** `dns:` without values says as much as no `dns` at all. */
const isEmpty = (value: unknown, depth = 0): boolean =>
  value === undefined ||
  value === null ||
  (isSection(value) &&
    depth < MAX_DEPTH &&
    Object.values(value).every((one) => isEmpty(one, depth + 1)))

/**
 * Sections are compared key by key; lists and values as a whole.
 * @param before the card when it was last taken
 * @param now the card
 * @param box the settings of the box
 * @returns what is to be set or taken out on the box; nothing where the card is as it was
 */
export function changesOf(before: unknown, now: unknown, box: unknown, path: Path = []): Change[] {
  if (same(before, now) || (isEmpty(before) && isEmpty(now))) return []
  // A section that was taken out whole, or written anew, is its keys.
  const keys = new Set([...keysOf(before), ...keysOf(now)])
  const isBelow = keys.size > 0 && (isEmpty(now) ? isSection(before) : isSection(now))
  if (isBelow && path.length < MAX_DEPTH) {
    return [...keys].flatMap((key) =>
      changesOf(at(before, key), at(now, key), at(box, key), [...path, key]),
    )
  }
  const value = isEmpty(now) ? undefined : now
  if (same(value, box)) return []
  const isKept = box === undefined || same(box, before)
  return [{ path, value, ...(!isKept && { lost: { value: box } }) }]
}

/** `dns.port` */
export const nameOf = ({ path }: Change): string => path.join('.')
