/** rTorrent as a daemon, spoken to over SCGI on a Unix socket. */
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { start } from '../processes.ts'
import { tempFolder } from '../temp.ts'
import { until } from '../until.ts'
import { ended, freePort, type StartClient } from './client.ts'

export const RTORRENT = '/usr/bin/rtorrent'

/** One XML-RPC call with text parameters; gives the XML of the answer. */
async function call(socketFile: string, method: string, ...params: string[]): Promise<string> {
  const values = params.map((one) => `<param><value><string>${one}</string></value></param>`)
  const name = `<methodName>${method}</methodName>`
  const body = `<?xml version="1.0"?><methodCall>${name}<params>${values.join('')}</params></methodCall>`
  const headers = `CONTENT_LENGTH\0${Buffer.byteLength(body)}\0SCGI\x001\0`
  const socket = connect(socketFile)
  socket.write(`${Buffer.byteLength(headers)}:${headers},${body}`)
  return text(socket)
}

export const startRtorrent: StartClient = async (t, { torrents, folder, netns, address }) => {
  const home = await tempFolder(t, 'rtorrent')
  const port = await freePort(address, netns)
  const socketFile = join(home, 'scgi')
  const settings = [
    'system.daemon.set=true',
    `network.scgi.open_local=${socketFile}`,
    `network.bind_address.set=${address ?? '127.0.0.1'}`,
    `network.port_range.set=${port}-${port}`,
    'network.port_random.set=no',
    'trackers.use_udp.set=yes',
    'dht.mode.set=disable',
    'protocol.pex.set=no',
    `session.path.set=${home}`,
    `directory.default.set=${folder}`,
    // Else it never tells trackers that it is complete.
    'pieces.hash.on_completion.set=no',
  ]
  const daemon = start(t, RTORRENT, ['-n', ...settings.flatMap((one) => ['-o', one])], { netns })
  await until('rTorrent', async () =>
    /rtorrent|0\.9/.test(await call(socketFile, 'system.client_version')),
  )
  for (const torrent of torrents) await call(socketFile, 'load.start', '', torrent)
  return {
    port,
    async done(timeoutMs = 60_000) {
      let last = ''
      await until(
        'rTorrent to have it all',
        async () => {
          last = await call(socketFile, 'd.multicall2', '', 'main', 'd.complete=', 'd.message=')
          const complete = [...last.matchAll(/<i8>(\d)<\/i8>/g)].map((found) => found[1])
          return complete.length === torrents.length && complete.every((one) => one === '1')
        },
        { timeoutMs, everyMs: 250 },
      ).catch((error: unknown) => {
        throw new Error(`rTorrent: ${last} ${daemon.output()}`, { cause: error })
      })
    },
    async stop() {
      // Its SIGTERM is the impatient one.
      daemon.kill('SIGINT')
      await ended(daemon)
    },
  }
}
