/** DNS servers of Debian with the tests' zone, each on a port of its own on loopback. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { missing, run, start } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { until } from './until.ts'
import { ZONE_FILE } from './dns-zone.ts'

export const DIG = '/usr/bin/dig'
export const KDIG = '/usr/bin/kdig'

/** Why tests with real DNS servers cannot run here, or false. */
export const withoutServers = (): string | false =>
  missing(DIG, '/usr/sbin/knotd', '/usr/sbin/nsd', '/usr/sbin/unbound', '/usr/sbin/dnsmasq')

async function answers(port: number, options: string[] = []): Promise<boolean> {
  const { code, stdout } = await run(DIG, [
    '@127.0.0.1',
    '-p',
    String(port),
    '+tries=1',
    '+time=1',
    ...options,
    'web.example.test',
    'A',
  ])
  return code === 0 && stdout.includes('192.0.2.80')
}

export interface DnsServer {
  port: number
  pid: number
  output(): string
}

async function started(
  t: Cleanup,
  port: number,
  command: string,
  args: string[],
): Promise<DnsServer> {
  const process = start(t, command, args)
  await until(`${command} to answer`, () => answers(port)).catch((error: unknown) => {
    throw new Error(`${command} said: ${process.output()}`, { cause: error })
  })
  return { port, pid: process.pid, output: () => process.output() }
}

export async function startKnot(t: Cleanup): Promise<DnsServer> {
  const folder = await tempFolder(t, 'btl-knot')
  const port = await freePort()
  const zone = join(folder, 'example.test.zone')
  await writeFile(zone, ZONE_FILE)
  const config = join(folder, 'knot.conf')
  await writeFile(
    config,
    `server:
    rundir: "${folder}"
    listen: 127.0.0.1@${port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}"
zone:
  - domain: example.test
    file: "${zone}"
`,
  )
  return started(t, port, '/usr/sbin/knotd', ['-c', config])
}

/** @param zones names, and files in the folder */
export const nsdConfig = (
  folder: string,
  port: number,
  zones: readonly (readonly [name: string, file: string])[],
): string => `server:
  server-count: 1
  ip-address: 127.0.0.1
  port: ${port}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  database: ""
  pidfile: "${folder}/nsd.pid"
  zonelistfile: "${folder}/zone.list"
  xfrdfile: "${folder}/xfrd.state"
  xfrdir: "${folder}"
remote-control:
  control-enable: no
${zones.map(([name, file]) => `zone:\n  name: "${name}"\n  zonefile: ${file}\n`).join('')}`

/** @param more further zones, by name */
export async function startNsd(
  t: Cleanup,
  zone = ZONE_FILE,
  more: Record<string, string> = {},
): Promise<DnsServer> {
  const folder = await tempFolder(t, 'btl-nsd')
  const port = await freePort()
  const zones = Object.entries({ 'example.test': zone, ...more })
  for (const [name, text] of zones) await writeFile(join(folder, `${name}.zone`), text)
  const config = join(folder, 'nsd.conf')
  await writeFile(
    config,
    nsdConfig(
      folder,
      port,
      zones.map(([name]) => [name, `${name}.zone`]),
    ),
  )
  return started(t, port, '/usr/sbin/nsd', ['-d', '-c', config])
}

export interface UnboundOptions {
  /** Authority for example.test, on loopback. */
  authority: number
  /** Files of a certificate for TLS and HTTPS. */
  tls?: { key: string; certificate: string; dotPort: number; dohPort: number }
  /** Further lines of the `server:` section, then any sections. */
  more?: { server: string; sections: string }
}

export async function startUnbound(t: Cleanup, options: UnboundOptions): Promise<DnsServer> {
  const folder = await tempFolder(t, 'btl-unbound')
  const port = await freePort()
  const { tls } = options
  await mkdir(join(folder, 'run'))
  const config = join(folder, 'unbound.conf')
  await writeFile(
    config,
    `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: "${folder}/run/unbound.pid"
  use-syslog: no
  num-threads: 1
  interface: 127.0.0.1@${port}
  ${tls ? `interface: 127.0.0.1@${tls.dotPort}\n  interface: 127.0.0.1@${tls.dohPort}` : ''}
  ${tls ? `tls-service-key: "${tls.key}"\n  tls-service-pem: "${tls.certificate}"\n  tls-port: ${tls.dotPort}\n  https-port: ${tls.dohPort}` : ''}
  do-ip6: no
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
  access-control: 127.0.0.0/8 allow
${options.more?.server ?? ''}
stub-zone:
  name: "example.test."
  stub-addr: 127.0.0.1@${options.authority}
${options.more?.sections ?? ''}
`,
  )
  return started(t, port, '/usr/sbin/unbound', ['-d', '-p', '-c', config])
}

export async function startDnsmasq(
  t: Cleanup,
  authority: number,
  options: string[] = [],
): Promise<DnsServer> {
  const port = await freePort()
  return started(t, port, '/usr/sbin/dnsmasq', [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    `--port=${port}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    '--user=root',
    `--server=/example.test/127.0.0.1#${authority}`,
    '--pid-file=',
    ...options,
  ])
}
