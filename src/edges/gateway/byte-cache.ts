/** Small files in memory, least recently asked go first. An infohash never means other bytes, so nothing here gets old. */
import type { InfoHash } from '../../base/hashes.ts'

export interface ByteCache {
  get(infoHash: InfoHash, fileIndex: number): Buffer | undefined
  set(infoHash: InfoHash, fileIndex: number, bytes: Buffer): void
  /** Bytes held now. */
  size(): number
  clear(): void
}

/** @param maxBytes 0 keeps nothing */
export function createByteCache(maxBytes: number): ByteCache {
  const entries = new Map<string, Buffer>()
  let held = 0
  const keyOf = (infoHash: InfoHash, fileIndex: number): string => `${infoHash}.${fileIndex}`

  function drop(key: string): void {
    held -= entries.get(key)?.length ?? 0
    entries.delete(key)
  }

  return {
    get(infoHash, fileIndex) {
      const key = keyOf(infoHash, fileIndex)
      const bytes = entries.get(key)
      if (bytes) {
        entries.delete(key)
        entries.set(key, bytes)
      }
      return bytes
    },
    set(infoHash, fileIndex, bytes) {
      const key = keyOf(infoHash, fileIndex)
      drop(key)
      if (bytes.length > maxBytes) return
      entries.set(key, bytes)
      held += bytes.length
      for (const oldest of entries.keys()) {
        if (held <= maxBytes) break
        drop(oldest)
      }
    },
    size: () => held,
    clear() {
      entries.clear()
      held = 0
    },
  }
}
