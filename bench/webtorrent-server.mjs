/**
 * webtorrent's own HTTP server, for bench/gateway.ts: `node bench/webtorrent-server.mjs FOLDER`.
 * Prints where it serves the folder, as one JSON line.
 */
import WebTorrent from 'webtorrent'

const folder = process.argv[2]
const client = new WebTorrent({
  dht: false,
  tracker: false,
  lsd: false,
  utp: false,
  natUpnp: false,
  natPmp: false,
})
client.seed(folder, { announce: [], pieceLength: 1024 * 1024 }, (torrent) => {
  const instance = client.createServer({ pathname: '/w' })
  instance.server.listen(0, '127.0.0.1', () => {
    const path = `/w/${torrent.infoHash}/${encodeURIComponent(torrent.name)}`
    const origin = `http://127.0.0.1:${instance.server.address().port}${path}`
    console.log(JSON.stringify({ origin, host: 'localhost' }))
  })
})
