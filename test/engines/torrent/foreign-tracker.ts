/** A WebSocket tracker of another program: bittorrent-tracker's. */
import Server from 'bittorrent-tracker/server'
import { type Cleanup, finallyDo } from '../../support/temp.ts'

export async function foreignTracker(t: Cleanup): Promise<{ server: Server; url: string }> {
  const server = new Server({ http: true, udp: false, ws: true, stats: false })
  server.on('error', () => {})
  server.on('warning', () => {})
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  finallyDo(
    t,
    async () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.http?.closeAllConnections()
      }),
  )
  const address = server.http?.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return { server, url: `ws://127.0.0.1:${port}/announce` }
}
