/** Ports for programs that cannot pick one and say which. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** A port that was free for TCP and UDP a moment ago. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, address)
    await once(server, 'listening')
    const place = server.address()
    const port = typeof place === 'object' && place !== null ? place.port : 0
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const isFree = await new Promise<boolean>((done) => {
      socket.once('error', () => done(false))
      socket.bind(port, address, () => done(true))
    })
    socket.close()
    server.close()
    await once(server, 'close')
    if (isFree) return port
  }
}
