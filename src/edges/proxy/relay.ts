/** Two connections joined, byte for byte. */
import { finished, type Duplex } from 'node:stream'

/**
 * Passes bytes both ways until both sides have said their last, or one breaks. A side that only ended
 * its own half keeps receiving. Resolves when both are closed; never rejects.
 * @param idleMs both are closed when neither moved a byte for so long
 */
export async function relay(a: Duplex, b: Duplex, idleMs: number): Promise<void> {
  let moved = true
  const cut = () => {
    a.destroy()
    b.destroy()
  }
  const watch = setInterval(() => {
    if (!moved) cut()
    moved = false
  }, idleMs / 2)
  watch.unref()
  const note = () => {
    moved = true
  }
  const join = async (from: Duplex, to: Duplex) =>
    new Promise<void>((resolve) => {
      finished(from, (error) => {
        // Half a message must not look like a whole one to the other side.
        if (error) cut()
        resolve()
      })
      from.on('data', note)
      from.pipe(to)
    })
  await Promise.all([join(a, b), join(b, a)])
  clearInterval(watch)
  // Both are finished; a stream that is not closed by that itself has nothing left to do.
  cut()
}
