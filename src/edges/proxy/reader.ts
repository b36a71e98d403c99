/** What another site sends through a tunnel, read into one buffer again and again. */
import type { OnReadOpts, Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export interface Reader {
  /** For net.connect: the socket then has no 'data'. */
  readonly onread: OnReadOpts
  /**
   * Passes on to `to` what `from`, the socket made with `onread`, reads: what came already first.
   * @param note called for every piece
   */
  flow(from: Socket, to: Duplex, note: () => void): void
}

// As much as libuv reads at once; new memory for each piece costs a quarter of the throughput.
const READ_BYTES = 64 * 1024

export function createReader(): Reader {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  let held = 0
  let pass: ((length: number) => boolean) | undefined
  return {
    onread: {
      buffer,
      callback(length) {
        if (pass) return pass(length)
        // A site that speaks first: nothing more is read until there is somebody to hear it.
        held = length
        return false
      },
    },
    flow(from, to, note) {
      pass = (length) => {
        note()
        to.write(buffer.subarray(0, length), () => void from.resume())
        // The kernel has it all: the buffer is free again. Else the write's end says so.
        return to.writableLength === 0
      }
      from.once('end', () => void to.end())
      if (held > 0) pass(held)
      else from.resume()
    },
  }
}
