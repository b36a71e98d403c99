/** Two connections joined, byte for byte. */
import { Socket } from 'node:net'
import { type Duplex, finished } from 'node:stream'

export interface Patience {
  /** Both are closed when neither moved a byte for so long. */
  idleMs: number
  /** The same once one side has said all: most who did are gone, and only the other does not know. */
  halfOpenMs: number
}

/** Half a message must not look like a whole one to the other side. */
function reset(stream: Duplex): void {
  if (stream instanceof Socket && !stream.destroyed) stream.resetAndDestroy()
  else stream.destroy()
}

function pour(from: Duplex, to: Duplex, note: () => void): void {
  from.on('data', note)
  from.pipe(to)
}

/**
 * Passes bytes both ways until both sides have said their last, or one breaks. A side that only ended
 * its own half keeps receiving. Resolves when both are closed; never rejects.
 * @param flow passes on what `b` says, calling `note` for every piece, and its end
 */
export async function relay(
  a: Duplex,
  b: Duplex,
  patience: Patience,
  flow: (from: Duplex, to: Duplex, note: () => void) => void = pour,
): Promise<void> {
  let moved = true
  let watch: NodeJS.Timeout | undefined
  const cut = () => {
    reset(a)
    reset(b)
  }
  const watchOver = (ms: number) => {
    clearInterval(watch)
    watch = setInterval(() => {
      if (!moved) cut()
      moved = false
    }, ms / 2)
    watch.unref()
  }
  const note = () => {
    moved = true
  }
  const join = async (from: Duplex, to: Duplex) =>
    new Promise<void>((resolve) => {
      finished(from, (error) => {
        if (error) cut()
        resolve()
      })
      from.once('end', () => watchOver(Math.min(patience.idleMs, patience.halfOpenMs)))
      if (from === b) flow(from, to, note)
      else pour(from, to, note)
    })
  watchOver(patience.idleMs)
  await Promise.all([join(a, b), join(b, a)])
  clearInterval(watch)
  // Both are finished; a stream that is not closed by that itself has nothing left to do.
  a.destroy()
  b.destroy()
}
