/** Fetches the rest of small visited torrents in the background, a few files at a time. */
import { messageOf } from '../../base/errors.ts'
import type { InfoHash } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'
import type { TorrentEngine } from '../../base/ports/torrent-engine.ts'
import type { OpenedTorrent } from './opened-torrent.ts'

const FILES_AT_ONCE = 8
const TORRENTS_AT_ONCE = 16
// A site whose peers left must not hold its place for ever.
const GIVE_UP_MS = 600_000

export interface WholeKeeper {
  /** Does nothing for a torrent already being kept, or while enough others are. */
  keep(torrent: OpenedTorrent): void
}

export function createWholeKeeper(
  deps: { engine: Pick<TorrentEngine, 'want'>; log: Log },
  stopping: AbortSignal,
): WholeKeeper {
  const busy = new Set<InfoHash>()

  async function fetchAll(torrent: OpenedTorrent, signal: AbortSignal): Promise<void> {
    const { infoHash, files } = torrent.metainfo
    const missing = files.filter((file) => !torrent.isWhole(file.index) && file.length > 0).values()
    const workers = Array.from({ length: FILES_AT_ONCE }, async () => {
      for (const file of missing) {
        const range = { start: 0, end: file.length }
        await deps.engine.want(infoHash, file.index, range, 'background', signal)
      }
    })
    await Promise.all(workers)
  }

  return {
    keep(torrent) {
      const { infoHash } = torrent.metainfo
      if (busy.has(infoHash) || busy.size >= TORRENTS_AT_ONCE) return
      busy.add(infoHash)
      const signal = AbortSignal.any([stopping, AbortSignal.timeout(GIVE_UP_MS)])
      fetchAll(torrent, signal)
        .catch((error: unknown) =>
          deps.log.debug({ infoHash, error: messageOf(error) }, 'not kept whole'),
        )
        .finally(() => busy.delete(infoHash))
        .catch(() => {})
    },
  }
}
