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

/**
 * Sections are compared key by key; lists and values as a whole.
 * @param before the card when it was last taken
 * @param now the card
 * @param box the settings of the box
 * @returns what is to be set or taken out on the box; nothing where the card is as it was
 */
export function changesOf(before: unknown, now: unknown, box: unknown, path: Path = []): Change[] {
  if (same(before, now)) return []
  // A section that was taken out whole, or written anew, is its keys.
  const isBelow =
    isSection(now) ||
    (now === undefined && isSection(before)) ||
    (now === null && isSection(before))
  if (isBelow && path.length < MAX_DEPTH) {
    const keys = new Set([
      ...Object.keys(isSection(before) ? before : {}),
      ...Object.keys(isSection(now) ? now : {}),
    ])
    return [...keys].flatMap((key) =>
      changesOf(at(before, key), at(now, key), at(box, key), [...path, key]),
    )
  }
  if (same(now, box)) return []
  const isKept = box === undefined || same(box, before)
  return [{ path, value: now, ...(!isKept && { lost: { value: box } }) }]
}

/** `dns.port` */
export const nameOf = ({ path }: Change): string => path.join('.')
