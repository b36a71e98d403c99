/** In the child: one data channel and the Unix connection that carries it to the swarm role. */
import { connect, type Socket } from 'node:net'
import type { DataChannel } from 'node-datachannel'

// Small enough for every browser, large enough that a message is no burden.
const MAX_MESSAGE = 64 * 1024
const HIGH_WATER = 1024 * 1024
const LOW_WATER = 256 * 1024
// libdatachannel has no way to slow a sender down: who sends more than is read is cut off.
const MAX_UNREAD = 16 * 1024 * 1024
// What was written before the end needs to get there; the far side closes as soon as it has it.
const LINGER_MS = 3000

export interface ChannelDeps {
  socketPath: string
  /** First line on the connection. */
  greeting: string
  /** Runs a native callback so that nothing is thrown back into native code. */
  guard: <Values extends unknown[]>(
    work: (...values: Values) => void,
  ) => (...values: Values) => void
  /** Called once, when nothing more can be sent or received. */
  onEnd: (why: string) => void
}

export interface Channel {
  /** Ends the connection to the swarm role. */
  destroy(): void
}

export function bridge(channel: DataChannel, deps: ChannelDeps): Channel {
  const { guard } = deps
  const messageBytes = Math.min(MAX_MESSAGE, channel.maxMessageSize())
  let isOver = false
  let linger: NodeJS.Timeout | undefined
  let isEnding = false

  function over(why: string): void {
    if (isOver) return
    isOver = true
    clearTimeout(linger)
    socket.destroySoon()
    deps.onEnd(why)
  }

  function send(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += messageBytes) {
      channel.sendMessageBinary(bytes.subarray(at, at + messageBytes))
    }
    if (channel.bufferedAmount() > HIGH_WATER) socket.pause()
  }

  /** The swarm role wrote its last byte: closes once that is on its way. */
  function finish(): void {
    if (isEnding || isOver) return
    isEnding = true
    linger = setTimeout(() => over('closed here'), LINGER_MS)
    if (channel.bufferedAmount() === 0) channel.close()
    else channel.setBufferedAmountLowThreshold(0)
  }

  const socket: Socket = connect({ path: deps.socketPath, allowHalfOpen: true })
  socket.write(deps.greeting)
  socket.on(
    'data',
    guard((bytes: Buffer) => send(bytes)),
  )
  socket.once('end', guard(finish))
  socket.on('error', (error) => over(`its socket: ${error.message}`))
  socket.once('close', guard(finish))

  channel.setBufferedAmountLowThreshold(LOW_WATER)
  channel.onBufferedAmountLow(
    guard(() => {
      if (isEnding) channel.close()
      else socket.resume()
    }),
  )
  channel.onMessage(
    guard((message: string | Buffer | ArrayBuffer) => {
      if (socket.destroyed || socket.writableEnded) return
      socket.write(message instanceof ArrayBuffer ? new Uint8Array(message) : message)
      if (socket.writableLength > MAX_UNREAD) {
        socket.destroy()
        over('more was sent than is read')
      }
    }),
  )
  channel.onError(guard((why) => over(why)))
  // After our own close this comes at once, while the last bytes are still under way.
  channel.onClosed(
    guard(() => {
      if (!isEnding) over('closed there')
    }),
  )
  return { destroy: () => over('closed here') }
}
