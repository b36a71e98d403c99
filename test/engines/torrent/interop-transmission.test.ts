import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { missing, start } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { layDown } from '../../support/torrents.ts'
import { until } from '../../support/until.ts'
import { arrived, foreignFolder, site, takesFrom } from './foreign.ts'
import { loopback, startEngine } from './support.ts'

const TRANSMISSION = '/usr/bin/transmission-daemon'

describe('Transmission', { skip: missing(TRANSMISSION), concurrency: true }, () => {
  it('gives us metadata and data', async (t) => {
    const made = site('film.bin')
    const folder = await tempFolder(t)
    await foreignFolder(folder, made)
    const port = 21_000 + (process.pid % 20_000)
    await startTransmission(t, folder, port)
    await takesFrom(await startEngine(t), made, port)
  })

  it('takes data from us', async (t) => {
    const made = site('film.bin')
    const box = await startEngine(t)
    await layDown(box.layout.torrents, made)
    const folder = await tempFolder(t)
    await writeFile(join(folder, 'site.torrent'), made.torrentFile)
    const port = 22_000 + (process.pid % 20_000)
    await startTransmission(t, folder, port)
    await box.engine.add(made.info, { verified: true, hints: loopback(port) })
    await box.engine.seed(made.infoHash)
    await arrived(folder, 'film.bin')
  })
})

async function startTransmission(t: Parameters<typeof start>[0], folder: string, port: number) {
  const watched = join(folder, 'watched')
  const settings = {
    'rpc-enabled': false,
    'dht-enabled': false,
    'lpd-enabled': false,
    'pex-enabled': false,
    'utp-enabled': false,
    'port-forwarding-enabled': false,
    'peer-port': port,
    'bind-address-ipv4': '127.0.0.1',
    'download-dir': folder,
    'watch-dir': watched,
    'watch-dir-enabled': true,
    preallocation: 0,
  }
  const config = join(folder, 'config')
  await mkdir(config)
  await mkdir(watched)
  await writeFile(join(config, 'settings.json'), JSON.stringify(settings))
  const daemon = start(t, TRANSMISSION, ['--foreground', '--log-debug', '--config-dir', config])
  await until('the daemon', () => daemon.output().includes('Watching'))
  // It takes up what appears while it watches.
  await copyFile(join(folder, 'site.torrent'), join(watched, 'site.torrent'))
  await until('the torrent', () => daemon.output().includes('Verification is done'))
  // A torrent that is still being started turns peers away.
  await sleep(2000)
}
