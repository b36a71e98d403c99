/** One house three times: our resolver alone, behind unbound, and behind dnsmasq; and its internet. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nameOfText } from '../../../src/base/dns/name.ts'
import {
  type DnsConfig,
  dnsmasqFront,
  type FrontPlan,
  planFront,
  unboundFront,
} from '../../../src/edges/dns/index.ts'
import { nsdConfig } from '../../support/dns-servers.ts'
import { freePort } from '../../support/free-port.ts'
import { type Running, start } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { startsAt } from '../../support/wrong-clock.ts'
import { dig, dnsConfig } from './house.ts'
import { type Engine, HOUSE_CONFIG, INTERNET, ROUTES } from './scenario.ts'

/** The environment of a machine whose clock nobody has set. */
export const IN_1970 = { ...process.env, ...startsAt('@1970-01-01 00:00:20') }

const answers = (port: number, ...args: string[]) =>
  until(`port ${port} to answer ${args.join(' ')}`, async () =>
    /status: (?:NOERROR|NXDOMAIN)/.test(await dig(port, '+time=1', ...args)),
  )

export interface Internet {
  port: number
  /** Names it was asked for, in small letters. */
  heard(): Set<string>
  stop(): Promise<void>
  /** The keys of the root, as resolvers are told them. */
  anchors(): Promise<string[]>
}

async function startNsd(t: Cleanup, folder: string, port: number): Promise<void> {
  const config = join(folder, 'nsd.conf')
  await writeFile(config, nsdConfig(folder, port, [['.', 'root.zone']]))
  start(t, '/usr/sbin/nsd', ['-d', '-c', config])
}

/** Signs the zone itself, with NSEC as the real root has. */
async function startKnot(t: Cleanup, folder: string, port: number): Promise<void> {
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
  - domain: .
    file: "${folder}/root.zone"
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: all
    dnssec-signing: on
`,
  )
  start(t, '/usr/sbin/knotd', ['-c', config])
}

/** A server with all of the DNS as one zone, and a dnsmasq before it that writes down what is asked. */
export async function startInternet(t: Cleanup, { isSigned = false } = {}): Promise<Internet> {
  const folder = await tempFolder(t, 'btl-internet')
  const authority = await freePort()
  await writeFile(join(folder, 'root.zone'), INTERNET)
  await (isSigned ? startKnot : startNsd)(t, folder, authority)
  await answers(authority, 'web.example.net')
  const port = await freePort()
  const witness = start(t, '/usr/sbin/dnsmasq', [
    ...DNSMASQ,
    `--port=${port}`,
    '--no-resolv',
    '--cache-size=0',
    '--log-queries',
    '--log-facility=-',
    `--server=127.0.0.1#${authority}`,
  ])
  await answers(port, 'ns.example')
  return {
    port,
    heard: () =>
      new Set(
        [...witness.output().matchAll(/query\[\S+\] (\S+) from/g)].map(([, name = '']) =>
          name.toLowerCase(),
        ),
      ),
    stop: () => witness.stop(),
    async anchors() {
      const keys = await dig(authority, '+short', '.', 'DNSKEY')
      return keys
        .split('\n')
        .filter((line) => line.startsWith('257'))
        .map((line) => `. IN DNSKEY ${line}`)
    },
  }
}

const DNSMASQ = [
  '--keep-in-foreground',
  '--conf-file=/dev/null',
  '--no-hosts',
  '--listen-address=127.0.0.1',
  '--bind-interfaces',
  '--user=root',
  '--pid-file=',
]

/** The server that a house has for a domain of its own. */
async function startRouter(t: Cleanup): Promise<number> {
  const port = await freePort()
  start(t, '/usr/sbin/dnsmasq', [
    ...DNSMASQ,
    `--port=${port}`,
    '--no-resolv',
    '--address=/nas.corp/192.168.5.5',
    '--ptr-record=5.5.168.192.in-addr.arpa,nas.corp',
  ])
  await answers(port, 'nas.corp')
  return port
}

export interface Setup {
  /** Where the clients of the house ask. */
  port: number
  box4: string
  box6: string
  /** Ends our resolver as a crash would. */
  kill(): Promise<void>
  /** Starts it again at its port. */
  revive(changes?: Partial<DnsConfig>, env?: NodeJS.ProcessEnv): Promise<void>
  /** Ends what is in front and starts it again, with the files it has. */
  restartFront(env?: NodeJS.ProcessEnv): Promise<void>
}

export interface SetupOptions {
  internet: { port: number }
  /** Makes unbound validate. */
  anchors?: readonly string[]
  env?: NodeJS.ProcessEnv
  config?: Partial<DnsConfig>
}

const server = (port: number) => ({
  text: `127.0.0.1:${port}`,
  transport: 'udp' as const,
  address: '127.0.0.1',
  name: undefined,
  port,
})

export async function startSetup(
  t: Cleanup,
  engine: Engine,
  { internet, env = process.env, config = {}, anchors = [] }: SetupOptions,
): Promise<Setup> {
  const router = await startRouter(t)
  const port = await freePort()
  const frontPort = await freePort()
  const isBehind = engine !== 'embedded'
  const front = {
    front: [`127.0.0.1@${frontPort}`],
    house_addresses: ['192.168.77.1', 'fd00:77::1'],
  }
  const section = { ...HOUSE_CONFIG, port, ...(isBehind && front), ...config }
  const upstream = {
    servers: [`127.0.0.1:${internet.port}`],
    routes: ROUTES.map((domain) => `${domain}=127.0.0.1:${router}`),
  }
  let ours: Running | undefined
  const revive = async (changes: Partial<DnsConfig> = {}, ownEnv = env) => {
    const settings = JSON.stringify({ dns: { ...section, ...changes }, upstream })
    const child = 'test/edges/dns/front-house-child.ts'
    ours = start(t, process.execPath, [child, settings], { env: ownEnv })
    await ours.line((line) => line.startsWith('port '))
  }
  await revive()
  const kill = async () => {
    ours?.kill('SIGKILL')
    await ours?.exited
  }
  const box6 = 'fd00:77::1'
  if (!isBehind) {
    return { port, box4: '127.0.0.1', box6, kill, revive, restartFront: async () => undefined }
  }
  const plan = planFront({
    tld: 'btlink',
    config: dnsConfig(section),
    servers: [server(internet.port)],
    routes: ROUTES.map((domain) => ({
      zone: nameOfText(domain) ?? fail(domain),
      servers: [server(router)],
    })),
    networks: [],
  })
  const write = engine === 'unbound' ? writeUnbound : writeDnsmasq
  const [command = '', ...args] = await write(t, plan, dnsConfig(section), anchors)
  let running = start(t, command, args, { env })
  // Only where it has our zone is its word about it authoritative.
  const ready = engine === 'unbound' ? /NOERROR[^]*flags: qr aa/ : /NOERROR/
  await until(`${engine} to have our zone`, async () =>
    ready.test(await dig(frontPort, '+time=1', 'rpz.btlink', 'SOA')),
  )
  const restartFront = async (ownEnv = env) => {
    await running.stop()
    running = start(t, command, args, { env: ownEnv })
    await answers(frontPort, 'web.example.net')
  }
  return { port: frontPort, box4: '192.168.77.1', box6, kill, revive, restartFront }
}

function fail(text: string): never {
  throw new Error(`${text} is no name`)
}

/** As Debian runs it, but in the foreground, at one address and without a chroot. */
async function writeUnbound(
  t: Cleanup,
  plan: FrontPlan,
  config: DnsConfig,
  anchors: readonly string[],
): Promise<string[]> {
  const folder = await tempFolder(t, 'btl-front')
  const zoneFile = join(folder, 'btlinkd.rpz')
  const written = unboundFront(plan, config, { interfaces: ['127.0.0.1'], zoneFile })
  await writeFile(join(folder, 'btlinkd.conf'), written)
  await writeFile(
    join(folder, 'unbound.conf'),
    `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
${anchors.map((anchor) => `  trust-anchor: "${anchor}"`).join('\n')}
include: "${folder}/btlinkd.conf"
`,
  )
  return ['/usr/sbin/unbound', '-d', '-p', '-c', join(folder, 'unbound.conf')]
}

async function writeDnsmasq(t: Cleanup, plan: FrontPlan, config: DnsConfig): Promise<string[]> {
  const folder = await tempFolder(t, 'btl-front')
  const file = join(folder, 'btlinkd.conf')
  await writeFile(file, dnsmasqFront(plan, config))
  const options = DNSMASQ.filter((option) => !option.startsWith('--conf-file'))
  return ['/usr/sbin/dnsmasq', ...options, `--conf-file=${file}`]
}
