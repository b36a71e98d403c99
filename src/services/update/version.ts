/** Versions of releases: `1.2.3` and, before it, `1.2.3~rc1`, ordered as Debian and systemd order them. */

const VERSION = /^(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})(?:~([a-z]{1,8})(\d{1,4})?)?$/

export const isVersion = (text: string): boolean => VERSION.test(text)

function parts(text: string): (number | string)[] | undefined {
  const match = VERSION.exec(text)
  if (!match) return undefined
  const [, major, minor, patch, word, number] = match
  // What has no word comes after everything that has one.
  return [Number(major), Number(minor), Number(patch), word ?? '~', Number(number ?? 0)]
}

/**
 * Below 0 where `a` is older than `b`, 0 where they are the same.
 * @throws RangeError where one of them is no version
 */
export function compareVersions(a: string, b: string): number {
  const left = parts(a)
  const right = parts(b)
  if (!left || !right) throw new RangeError(`no version: ${left ? b : a}`)
  for (const [index, one] of left.entries()) {
    const other = right[index] ?? 0
    if (one === other) continue
    return one < other ? -1 : 1
  }
  return 0
}
