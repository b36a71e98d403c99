/**
 * WebTorrent in Node as a client of its own: `webtorrent-child.ts PORT FOLDER TORRENT|MAGNET...`.
 * Prints `added <n>` and `done <infohash>`; ends with stdin.
 */
import type { EventEmitter } from 'node:events'
import { argv, exit, stdin, stdout } from 'node:process'
import WebTorrent from 'webtorrent'

interface Added extends EventEmitter {
  infoHash: string
  done: boolean
}

interface Client extends EventEmitter {
  add(torrent: string, options: object, added: (torrent: Added) => void): void
  destroy(done: () => void): void
}

// The engine's types know only the switches that the engine sets.
const AnyClient = WebTorrent as unknown as new (options: object) => Client

const [port = '0', folder = '.', ...torrents] = argv.slice(2)
const client = new AnyClient({
  torrentPort: Number(port),
  dht: false,
  lsd: false,
  utp: false,
  natUpnp: false,
  natPmp: false,
  utPex: false,
  tracker: { rtcConfig: { iceServers: [] } },
})
client.on('error', (error) => stdout.write(`error ${String(error)}\n`))
for (const torrent of torrents) {
  client.add(torrent, { path: folder }, (added) => {
    stdout.write(`ready ${added.infoHash}\n`)
    added.on('warning', (error) => stdout.write(`warning ${String(error)}\n`))
    if (added.done) stdout.write(`done ${added.infoHash}\n`)
    else added.on('done', () => stdout.write(`done ${added.infoHash}\n`))
  })
}
stdout.write(`added ${torrents.length}\n`)
// Destroying the client says `stopped` to the trackers.
stdin.on('end', () => client.destroy(() => exit(0))).resume()
