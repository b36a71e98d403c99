/** A page with its assets, loaded as a browser does: over six connections that are kept. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

export interface Place {
  /** Where to connect. */
  port: number
  /** Whose page. */
  host: string
  ca: string
  /** Whether `port` is that of a proxy, to be asked for a tunnel. */
  isProxy: boolean
}

const CONNECTIONS = 6

async function reach({ port, host, ca, isProxy }: Place): Promise<TLSSocket> {
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  if (isProxy) {
    socket.write(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    if (!answer.includes(' 200 ')) throw new Error(answer.toString())
  }
  const secure = connectTls({ socket, servername: host, ca, ALPNProtocols: ['http/1.1'] })
  await once(secure, 'secureConnect')
  return secure
}

/** One request over a connection; resolves with the size of the body. */
function get(socket: TLSSocket, host: string, path: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let head = ''
  let size = Number.NaN
  let left = Number.NaN
  const onData = (chunk: Buffer) => {
    if (Number.isNaN(left)) {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      size = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1])
      if (!head.startsWith('HTTP/1.1 200') || Number.isNaN(size)) reject(new Error(head))
      left = size - (head.length - end - 4)
    } else left -= chunk.length
    if (left > 0) return
    socket.off('data', onData)
    resolve(size)
  }
  socket.on('data', onData)
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n\r\n`,
  )
  return promise
}

export interface Browser {
  /** Milliseconds for the page and then everything in it. */
  load(page: string, assets: readonly string[]): Promise<number>
  close(): void
}

export async function openBrowser(place: Place, connections = CONNECTIONS): Promise<Browser> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => reach(place)))
  return {
    async load(page, assets) {
      const since = performance.now()
      const [first] = sockets
      if (first) await get(first, place.host, page)
      const waiting = [...assets]
      await Promise.all(
        sockets.map(async (socket) => {
          for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
            await get(socket, place.host, next)
          }
        }),
      )
      return performance.now() - since
    },
    close() {
      for (const socket of sockets) socket.destroy()
    },
  }
}
