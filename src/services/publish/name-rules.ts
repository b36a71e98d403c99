/** Which names of files and folders can stand in a torrent that every system can unpack. */

// POSIX and Windows allow no more in one name.
const MAX_NAME_BYTES = 255
/** The rules of base/metainfo allow no longer paths. */
export const MAX_DEPTH = 64

/** What is wrong with the name, as the end of a sentence; undefined for a good one. */
export function faultOfName(name: string): string | undefined {
  if (name === '.' || name === '..') return `"${name}" is no name`
  if (name.includes('/')) return 'a name has a slash inside'
  if (/\p{Cc}/u.test(name)) return 'a name has a control character inside'
  if (!name.isWellFormed()) return 'a name is not Unicode'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
    return `a name is longer than ${MAX_NAME_BYTES} bytes`
  }
  return undefined
}
