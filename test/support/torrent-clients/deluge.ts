/** Deluge's daemon, spoken to with its own Python client. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PYTHON } from '../libtorrent.ts'
import { start } from '../processes.ts'
import { tempFolder } from '../temp.ts'
import { until } from '../until.ts'
import { freePort, type StartClient } from './client.ts'

export const DELUGE = '/usr/bin/deluged'
const SCRIPT = fileURLToPath(new URL('deluge-peer.py', import.meta.url))

export const startDeluge: StartClient = async (t, options) => {
  const { torrents, folder, netns, address = '127.0.0.1' } = options
  const config = join(await tempFolder(t, 'deluge'), 'config')
  const port = await freePort(address, netns)
  const daemonPort = await freePort('127.0.0.1', netns)
  const settings = {
    dht: false,
    upnp: false,
    natpmp: false,
    lsd: false,
    utpex: false,
    new_release_check: false,
    random_port: false,
    listen_ports: [port, port],
    listen_interface: address,
    listen_random_port: null,
    random_outgoing_ports: true,
    daemon_port: daemonPort,
    download_location: folder,
    geoip_db_location: '',
  }
  await mkdir(config)
  // Two JSON values, one after the other: Deluge's own form.
  const core = `${JSON.stringify({ file: 1, format: 1 })}${JSON.stringify(settings)}`
  await writeFile(join(config, 'core.conf'), core)
  await writeFile(join(config, 'auth'), 'localclient:secret:10\n')
  const args = ['-d', '-c', config, '-L', 'info', '-p', String(daemonPort)]
  const daemon = start(t, DELUGE, args, { netns })
  await until('Deluge', () =>
    /Deluge daemon listening|listening on|Starting/i.test(daemon.output()),
  )
  const spoken = start(
    t,
    PYTHON,
    [SCRIPT, String(daemonPort), 'localclient', 'secret', folder, ...torrents],
    { netns },
  )
  await spoken.line((line) => line.includes('"added"'))
  return {
    port,
    async done(timeoutMs = 60_000) {
      await spoken
        .line((line) => line.includes('"finished"'), timeoutMs)
        .catch((error: unknown) => {
          throw new Error(`Deluge: ${daemon.output()}`, { cause: error })
        })
    },
    stop: () => daemon.stop(),
  }
}
