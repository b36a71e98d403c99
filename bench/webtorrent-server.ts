/**
 * webtorrent's own HTTP server, for bench/gateway.ts: `node bench/webtorrent-server.ts FOLDER`.
 * Prints where it serves the folder, as one JSON line.
 */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import WebTorrent from 'webtorrent'

/** What the daemon never uses of it, and so does not declare. */
interface Seeder {
  seed(
    folder: string,
    options: { announce: string[]; pieceLength: number },
    done: (torrent: { infoHash: string; name: string }) => void,
  ): void
  createServer(options: { pathname: string }): { server: Server }
}

const [, , folder = '.'] = process.argv
const client = new WebTorrent({
  torrentPort: 0,
  maxConns: 10,
  downloadLimit: -1,
  uploadLimit: -1,
  utPex: false,
  userAgent: 'bench',
  webSeeds: false,
  secure: 0,
  dht: false,
  tracker: false,
  lsd: false,
  utp: false,
  natUpnp: false,
  natPmp: false,
}) as unknown as Seeder
client.seed(folder, { announce: [], pieceLength: 1024 * 1024 }, (torrent) => {
  const { server } = client.createServer({ pathname: '/w' })
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    const path = `/w/${torrent.infoHash}/${encodeURIComponent(torrent.name)}`
    console.log(JSON.stringify({ origin: `http://127.0.0.1:${port}${path}`, host: 'localhost' }))
  })
})
