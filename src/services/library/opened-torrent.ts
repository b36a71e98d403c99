/** A torrent in use: its file list, which files are whole, and one tracker for each file being read. */
import { stat } from 'node:fs/promises'
import type { Metainfo } from '../../base/metainfo/metainfo.ts'
import { type StoreLayout, torrentFilePath } from '../../base/layout.ts'
import type { OpenTorrent } from '../../base/ports/content.ts'
import type { ByteRange } from '../../base/ports/torrent-engine.ts'
import { createFileTracker, type FileTracker, type FileTrackerDeps } from './file-tracker.ts'

const STAT_BATCH = 64

export interface OpenedTorrent extends OpenTorrent {
  /** Looks at the disk again: which files are links to blobs, hence whole and verified. */
  lookAtDisk(): Promise<void>
  isWhole(fileIndex: number): boolean
  allWhole(): boolean
  tracker(fileIndex: number): FileTracker
  isLocal(fileIndex: number, range: ByteRange): boolean
}

export function createOpenedTorrent(
  metainfo: Metainfo,
  layout: StoreLayout,
  deps: FileTrackerDeps,
): OpenedTorrent {
  const whole = new Set<number>()
  const trackers = new Map<number, FileTracker>()
  const { infoHash, files } = metainfo
  const filePath = (index: number): string => torrentFilePath(layout, infoHash, index)

  /**
   * Only the store makes links, and only of files it has hashed: a second link means that every
   * byte was verified.
   */
  async function isLinkedToBlob(index: number, length: number): Promise<boolean> {
    try {
      const found = await stat(filePath(index))
      return found.nlink >= 2 && found.size === length
    } catch {
      return false
    }
  }

  function tracker(fileIndex: number): FileTracker {
    const known = trackers.get(fileIndex)
    if (known) return known
    const made = createFileTracker(deps, infoHash, fileIndex)
    trackers.set(fileIndex, made)
    return made
  }

  return {
    metainfo,
    filePath,
    tracker,
    async lookAtDisk() {
      for (let start = 0; start < files.length; start += STAT_BATCH) {
        const batch = files.slice(start, start + STAT_BATCH)
        await Promise.all(
          batch.map(async (file) => {
            if (
              file.isPad ||
              file.length === 0 ||
              (await isLinkedToBlob(file.index, file.length))
            ) {
              whole.add(file.index)
            }
          }),
        )
      }
    },
    isWhole: (index) => whole.has(index),
    allWhole: () => whole.size === files.length,
    isLocal(index, range) {
      return whole.has(index) || (trackers.get(index)?.covers(range) ?? false)
    },
  }
}
