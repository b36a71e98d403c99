/** aria2, spoken to through its RPC so that several torrents share one process. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { curl } from '../curl.ts'
import { start } from '../processes.ts'
import { tempFolder } from '../temp.ts'
import { until } from '../until.ts'
import { freePort, type StartClient } from './client.ts'

export const ARIA2 = '/usr/bin/aria2c'

interface Download {
  status: string
  seeder?: string
  followedBy?: string[]
  errorMessage?: string
}

export const startAria2: StartClient = async (t, { torrents, folder, netns, address }) => {
  const home = await tempFolder(t, 'aria2')
  const port = await freePort(address, netns)
  const rpcPort = await freePort('127.0.0.1', netns)
  const args = [
    '--enable-rpc',
    `--rpc-listen-port=${rpcPort}`,
    // Its UDP trackers need its DHT socket; nobody is there to bootstrap from.
    `--enable-dht=${netns !== undefined}`,
    '--enable-dht6=false',
    `--dht-listen-port=${port}`,
    `--dht-file-path=${join(home, 'dht.dat')}`,
    '--bt-enable-lpd=false',
    '--enable-peer-exchange=false',
    '--check-integrity=true',
    '--seed-ratio=0',
    `--listen-port=${port}`,
    `--dir=${folder}`,
    ...(address === undefined ? [] : [`--interface=${address}`]),
  ]
  const daemon = start(t, ARIA2, args, { netns })
  const rpc = async <T>(method: string, ...params: unknown[]): Promise<T> => {
    const answer = await curl(`http://127.0.0.1:${rpcPort}/jsonrpc`, {
      netns,
      body: JSON.stringify({ jsonrpc: '2.0', id: '1', method, params }),
    })
    const said = answer.json() as { result?: T; error?: unknown }
    if (said.result === undefined) throw new Error(`aria2: ${JSON.stringify(said)}`)
    return said.result
  }
  await until('aria2', async () => rpc<object>('aria2.getVersion'), { everyMs: 100 })
  const ids: string[] = []
  for (const torrent of torrents) {
    const id = torrent.startsWith('magnet:')
      ? rpc<string>('aria2.addUri', [torrent])
      : rpc<string>('aria2.addTorrent', (await readFile(torrent)).toString('base64'))
    ids.push(await id)
  }
  const download = async (id: string): Promise<Download> => {
    const keys = ['status', 'seeder', 'followedBy', 'errorMessage', 'completedLength']
    const found = await rpc<Download>('aria2.tellStatus', id, keys)
    // A magnet link is a download of its own; the data follows it.
    const [next] = found.followedBy ?? []
    return next === undefined ? found : download(next)
  }
  return {
    port,
    async done(timeoutMs = 60_000) {
      let last: Download[] = []
      await until(
        'aria2 to have it all',
        async () => {
          last = await Promise.all(ids.map(download))
          return last.every(({ seeder, status }) => seeder === 'true' || status === 'complete')
        },
        { timeoutMs, everyMs: 250 },
      ).catch((error: unknown) => {
        throw new Error(`aria2: ${JSON.stringify(last)} ${daemon.output()}`, { cause: error })
      })
    },
    stop: () => daemon.stop(),
  }
}
