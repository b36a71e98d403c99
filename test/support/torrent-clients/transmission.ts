/** Transmission's daemon, spoken to through its RPC. It takes no peers on 127.0.0.0/8 from trackers. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { curl } from '../curl.ts'
import { start } from '../processes.ts'
import { tempFolder } from '../temp.ts'
import { until } from '../until.ts'
import { freePort, type StartClient } from './client.ts'

export const TRANSMISSION = '/usr/bin/transmission-daemon'
const SEEDING = 6

interface Reply {
  result: string
  arguments: { torrents?: { percentDone: number; status: number; errorString: string }[] }
}

export const startTransmission: StartClient = async (t, { torrents, folder, netns, address }) => {
  const config = join(await tempFolder(t, 'transmission'), 'config')
  const port = await freePort(address, netns)
  const rpcPort = await freePort('127.0.0.1', netns)
  const settings = {
    'rpc-enabled': true,
    'rpc-bind-address': '127.0.0.1',
    'rpc-port': rpcPort,
    'rpc-authentication-required': false,
    'dht-enabled': false,
    'lpd-enabled': false,
    'pex-enabled': false,
    'utp-enabled': false,
    'port-forwarding-enabled': false,
    'peer-port': port,
    'bind-address-ipv4': address ?? '127.0.0.1',
    'download-dir': folder,
    'scrape-paused-torrents-enabled': false,
    preallocation: 0,
  }
  await mkdir(config)
  await writeFile(join(config, 'settings.json'), JSON.stringify(settings))
  const daemon = start(t, TRANSMISSION, ['--foreground', '--config-dir', config], { netns })
  let session = ''
  const rpc = async (method: string, args: object): Promise<Reply> => {
    const answer = await curl(`http://127.0.0.1:${rpcPort}/transmission/rpc`, {
      netns,
      headers: { 'X-Transmission-Session-Id': session },
      body: JSON.stringify({ method, arguments: args }),
    })
    if (answer.status === 409) {
      session = answer.headers['x-transmission-session-id'] ?? ''
      return rpc(method, args)
    }
    return answer.json() as Reply
  }
  await until('Transmission', async () => (await rpc('session-get', {})).result === 'success', {
    everyMs: 100,
  })
  for (const torrent of torrents) {
    const what = torrent.startsWith('magnet:')
      ? { filename: torrent }
      : { metainfo: (await readFile(torrent)).toString('base64') }
    const { result } = await rpc('torrent-add', what)
    if (result !== 'success') throw new Error(`Transmission: ${result}`)
  }
  return {
    port,
    async done(timeoutMs = 60_000) {
      let last: unknown
      await until(
        'Transmission to have it all',
        async () => {
          const fields = ['percentDone', 'status', 'errorString', 'trackerStats', 'peers']
          last = (await rpc('torrent-get', { fields })).arguments.torrents
          const all = (last ?? []) as { percentDone: number; status: number }[]
          return (
            all.length > 0 &&
            all.every(({ percentDone, status }) => percentDone === 1 && status === SEEDING)
          )
        },
        { timeoutMs, everyMs: 250 },
      ).catch((error: unknown) => {
        throw new Error(`Transmission: ${JSON.stringify(last)} ${daemon.output()}`, {
          cause: error,
        })
      })
    },
    stop: () => daemon.stop(),
  }
}
