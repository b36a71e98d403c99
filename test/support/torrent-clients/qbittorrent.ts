/** qBittorrent without a window, spoken to through its Web API. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { curl } from '../curl.ts'
import { start } from '../processes.ts'
import { tempFolder } from '../temp.ts'
import { until } from '../until.ts'
import { freePort, type StartClient } from './client.ts'

export const QBITTORRENT = '/usr/bin/qbittorrent-nox'
// `uploading` to somebody, `stalledUP` to nobody.
const SEEDING = /^uploading$|UP$/

export const startQbittorrent: StartClient = async (t, { torrents, folder, netns, address }) => {
  const profile = await tempFolder(t, 'qbittorrent')
  const port = await freePort(address, netns)
  const webPort = await freePort('127.0.0.1', netns)
  const config = join(profile, 'qBittorrent', 'config')
  await mkdir(config, { recursive: true })
  const lines = [
    '[BitTorrent]',
    `Session\\Port=${port}`,
    `Session\\Interface=${netns === undefined ? 'lo' : 'eth0'}`,
    'Session\\DHTEnabled=false',
    'Session\\LSDEnabled=false',
    'Session\\PeXEnabled=false',
    'Session\\MultiConnectionsPerIp=true',
    'Session\\SSRFMitigation=false',
    'Session\\AnnounceToAllTrackers=true',
    'Session\\AnnounceToAllTiers=true',
    'Session\\AddTorrentPaused=false',
    'Session\\QueueingSystemEnabled=false',
    `Session\\DefaultSavePath=${folder}`,
    '[LegalNotice]',
    'Accepted=true',
    '[Network]',
    'PortForwardingEnabled=false',
    '[Preferences]',
    `WebUI\\Port=${webPort}`,
    'WebUI\\Address=127.0.0.1',
    'WebUI\\LocalHostAuth=false',
    'WebUI\\HostHeaderValidation=false',
  ]
  await writeFile(join(config, 'qBittorrent.conf'), `${lines.join('\n')}\n`)
  const daemon = start(
    t,
    QBITTORRENT,
    [`--profile=${profile}`, '--skip-dialog=true', ...torrents],
    { netns },
  )
  const states = async () => {
    const url = `http://127.0.0.1:${webPort}/api/v2/torrents/info`
    return (await curl(url, { netns })).json() as { progress: number; state: string }[]
  }
  await until('qBittorrent', async () => (await states()).length === torrents.length, {
    timeoutMs: 20_000,
    everyMs: 200,
  }).catch((error: unknown) => {
    throw new Error(`no qBittorrent: ${daemon.output()}`, { cause: error })
  })
  return {
    port,
    async done(timeoutMs = 60_000) {
      let last: unknown
      await until(
        'qBittorrent to have it all',
        async () => {
          const all = await states()
          last = all
          return all.every(({ progress, state }) => progress === 1 && SEEDING.test(state))
        },
        { timeoutMs, everyMs: 250 },
      ).catch((error: unknown) => {
        throw new Error(`qBittorrent: ${JSON.stringify(last)} ${daemon.output()}`, { cause: error })
      })
    },
    stop: () => daemon.stop(),
  }
}
