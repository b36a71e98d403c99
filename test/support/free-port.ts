/** Ports for programs that cannot pick one and say which. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below the range that Linux takes ports for outgoing connections from: such a port is nobody's
 * until it is named, where one of the range may have become a browser's before it is used.
 */
const [FIRST, LAST] = [10_000, 32_000]

async function isBindable(
  open: { once: (event: string, listener: () => void) => unknown },
  bind: (done: () => void) => unknown,
): Promise<boolean> {
  return new Promise((done) => {
    open.once('error', () => done(false))
    bind(() => done(true))
  })
}

/** A port that was free for TCP and UDP a moment ago. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    const server = createServer()
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const isFree =
      (await isBindable(server, (done) => server.listen(port, address, done))) &&
      (await isBindable(socket, (done) => socket.bind(port, address, done)))
    socket.close()
    if (server.listening) {
      server.close()
      await once(server, 'close')
    }
    if (isFree) return port
  }
}
