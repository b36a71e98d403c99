/** What of a file is good, for a reader: first everything, then what is new. */
import { createByteRanges } from '../../../base/byte-ranges.ts'
import type { ByteRange } from '../../../base/ports/torrent-engine.ts'
import type { KnownTorrent } from './known-torrent.ts'

/** Ends with the signal, or when the torrent is dropped. */
export async function* verifiedRanges(
  torrent: KnownTorrent,
  fileIndex: number,
  signal?: AbortSignal,
): AsyncGenerator<ByteRange[], void> {
  const fresh = createByteRanges()
  let wake = () => {}
  const stop = torrent.onPiece((piece) => {
    const range = torrent.map.rangeIn(piece, fileIndex)
    if (range) fresh.add(range)
    wake()
  })
  const onAbort = () => wake()
  signal?.addEventListener('abort', onAbort, { once: true })
  // A function: what the compiler learned before an await is no longer true after it.
  const ended = () => signal?.aborted === true || torrent.isClosed()
  try {
    let batch = torrent.ranges(fileIndex)
    fresh.clear()
    for (;;) {
      if (ended()) return
      yield batch
      while (fresh.list().length === 0) {
        if (ended()) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      batch = fresh.list()
      fresh.clear()
    }
  } finally {
    stop()
    signal?.removeEventListener('abort', onAbort)
  }
}
