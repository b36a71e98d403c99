/** Which blobs the large files of published folders were, so that they are not written again to find out. */
import type { Sha256 } from '../../base/hashes.ts'
import type { FoundFile } from './walk.ts'

/** A hint: who uses it still compares the hash of what is read. */
export interface KnownFiles {
  find(file: FoundFile): Sha256 | undefined
  learn(file: FoundFile, sha256: Sha256): void
  forget(file: FoundFile): void
}

// A smaller file is gathered in memory before the store looks for its blob: nothing is saved.
const MIN_BYTES = 262_144
const MAX_FILES = 20_000

export function createKnownFiles(): KnownFiles {
  const known = new Map<string, { mark: string; sha256: Sha256 }>()
  return {
    find(file) {
      const entry = known.get(file.place)
      return entry?.mark === file.mark ? entry.sha256 : undefined
    },
    learn(file, sha256) {
      if (file.length < MIN_BYTES) return
      known.delete(file.place)
      known.set(file.place, { mark: file.mark, sha256 })
      const oldest = known.size > MAX_FILES ? known.keys().next().value : undefined
      if (oldest !== undefined) known.delete(oldest)
    },
    forget(file) {
      known.delete(file.place)
    },
  }
}
