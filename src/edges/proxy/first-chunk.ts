/** What a client speaks, told from what it says first, which is left where it was. */
import type { Duplex } from 'node:stream'

/**
 * @returns undefined where the stream ended or `timeoutMs` went by before there was one
 */
export async function firstChunk(
  stream: Duplex,
  timeoutMs: number,
): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>()
  const look = () => {
    const chunk: unknown = stream.read()
    if (!(chunk instanceof Uint8Array)) return
    // What is put back is told of at once, and again, before anybody who awaits gets a turn.
    stream.off('readable', look)
    stream.unshift(chunk)
    resolve(chunk)
  }
  const none = () => resolve(undefined)
  const timer = setTimeout(none, timeoutMs)
  stream.on('readable', look)
  stream.once('end', none)
  stream.once('close', none)
  stream.once('error', none)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    stream.off('readable', look)
    stream.off('end', none)
    stream.off('close', none)
    stream.off('error', none)
  }
}
