/**
 * A house as people have it: a router that hands out addresses, a box, two laptops, and behind the
 * router an internet with a name server and a web server. All of it in network namespaces.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTestDaemon, type DaemonOptions, type TestDaemon } from './daemon.ts'
import { type Box, etc, household, withoutNetns } from './household.ts'
import { missing, output, run, type Running, start } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { until } from './until.ts'

const IP = '/usr/sbin/ip'
const NFT = '/usr/sbin/nft'
const DNSMASQ = '/usr/sbin/dnsmasq'
const BUSYBOX = '/usr/bin/busybox'
export const TCPDUMP = '/usr/bin/tcpdump'

/** Public addresses: what is private, or stands in the examples of standards, the box's proxy refuses. */
export const INTERNET = {
  /** Also of whatever is started there without an address of its own. */
  gateway: '45.0.2.1',
  dns: '45.0.2.53',
  dht: '45.0.2.70',
  web: '45.0.2.80',
} as const
/** The router's, on the internet's side. */
export const WAN = '45.0.2.2'

export const withoutHouse = (): string | false =>
  withoutNetns() || missing(NFT, DNSMASQ, BUSYBOX, TCPDUMP, '/usr/bin/curl')

export interface House {
  router: Box
  box: Box
  laptops: readonly [Box, Box]
  /** Everything beyond the router. */
  internet: Box
  /** Pulls the router's plug to the internet, or puts it back. */
  uplink(state: 'up' | 'down'): Promise<void>
}

/** The router shares its one address; what comes for it from outside goes to the box, as "exposed host". */
const TABLES = (box: string): string => `table ip house {
  chain in { type nat hook prerouting priority -100; iifname "wan" dnat to ${box}; }
  chain out { type nat hook postrouting priority 100; oifname "wan" masquerade; }
}
`

/** A router, a box with a fixed address, two laptops without one, and a cable to the internet. */
export async function createHouse(t: Cleanup): Promise<House> {
  const [router, box, one, two, internet] = await household(t, 'router', 'box', 'one', 'two', 'net')
  if (!router || !box || !one || !two || !internet) throw new Error('no household')
  const ip = async (at: Box, ...args: string[]) => output(IP, ['-n', at.netns, ...args])
  for (const laptop of [one, two]) await ip(laptop, 'addr', 'flush', 'dev', 'eth0')
  // No cable of the house leads there.
  await ip(internet, 'link', 'del', 'eth0')
  const cable = ['link', 'add', 'wan', 'type', 'veth', 'peer', 'name', 'wan']
  await ip(router, ...cable, 'netns', internet.netns)
  for (const address of Object.values(INTERNET)) {
    await ip(internet, 'addr', 'add', `${address}/24`, 'dev', 'wan')
  }
  await ip(internet, 'link', 'set', 'wan', 'up')
  await ip(router, 'addr', 'add', `${WAN}/24`, 'dev', 'wan')
  const uplink = async (state: 'up' | 'down'): Promise<void> => {
    await ip(router, 'link', 'set', 'wan', state)
    // The kernel forgets the way together with the link.
    if (state === 'up') await ip(router, 'route', 'add', 'default', 'via', INTERNET.gateway)
  }
  await uplink('up')
  const { netns } = router
  const forwarding = 'echo 1 > /proc/sys/net/ipv4/ip_forward'
  await output('/bin/sh', ['-c', forwarding], { netns })
  await output(NFT, ['-f', '-'], { netns, input: TABLES(box.address) })
  await ip(box, 'route', 'add', 'default', 'via', router.address)
  await etc(t, box, 'resolv.conf', `nameserver ${INTERNET.dns}\n`)
  return { router, box, laptops: [one, two], internet, uplink }
}

export interface DhcpOptions {
  /** Option 6; the default is the box. */
  dns?: string
  /** Option 252, the proxy script; the default is the box's `/wpad.dat`. */
  pac?: string | undefined
  /** Network card that always gets the box's address. */
  boxMac?: string
}

/** The router's DHCP server: what its owner typed into its form is `options`. */
export async function startDhcp(
  t: Cleanup,
  { router, box }: House,
  options: DhcpOptions = {},
): Promise<void> {
  const folder = await tempFolder(t, 'dhcp')
  const { dns = box.address, pac = `http://${box.address}/wpad.dat` } = options
  const dnsmasq = start(
    t,
    DNSMASQ,
    [
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--port=0',
      '--user=root',
      '--pid-file=',
      '--log-facility=-',
      '--interface=eth0',
      `--dhcp-leasefile=${join(folder, 'leases')}`,
      '--dhcp-range=10.77.0.100,10.77.0.199,1h',
      '--dhcp-authoritative',
      '--no-ping',
      `--dhcp-option=3,${router.address}`,
      `--dhcp-option=6,${dns}`,
      '--domain=lan',
      `--dhcp-option=252,${pac}`,
      ...(options.boxMac === undefined ? [] : [`--dhcp-host=${options.boxMac},${box.address}`]),
    ],
    { netns: router.netns },
  )
  await until('the DHCP server', () => dnsmasq.output().includes('DHCP, IP range'))
}

export interface Lease {
  address: string
  dns: string
  /** The URL of option 252, as browsers are given it by the system. */
  pac: string
  domain: string
}

/** What udhcpc calls with what it got; it says everything else by itself. */
const SCRIPT = `#!/bin/sh
[ "$1" = bound ] || exit 0
${IP} addr add "$ip/$mask" dev "$interface" && ${IP} route add default via "$router"
echo "lease address=$ip dns=$dns pac=$wpad domain=$domain"
`

/** A laptop joins the network: address, router and name server are what DHCP says. */
export async function joinNetwork(t: Cleanup, laptop: Box): Promise<Lease> {
  const { netns } = laptop
  const script = join(await tempFolder(t, 'udhcpc'), 'script')
  await writeFile(script, SCRIPT, { mode: 0o755 })
  const args = ['udhcpc', '-i', 'eth0', '-f', '-q', '-n', '-t', '10', '-T', '1', '-O', '252']
  const { stdout, stderr } = await run(BUSYBOX, [...args, '-s', script], { netns })
  const said = /^lease (.*)$/m.exec(stdout)?.[1]
  if (said === undefined) throw new Error(`no lease: ${stdout}${stderr}`)
  const told = new Map(said.split(' ').map((part) => [part.split('=', 1)[0], part]))
  const of = (name: string): string => told.get(name)?.slice(name.length + 1) ?? ''
  const lease = { address: of('address'), dns: of('dns'), pac: of('pac'), domain: of('domain') }
  await etc(t, laptop, 'resolv.conf', `nameserver ${lease.dns}\nsearch ${lease.domain}\n`)
  return lease
}

/** The daemon on the ports that a flashed box has. */
export async function startBox(
  t: Cleanup,
  { box }: House,
  options: DaemonOptions = {},
): Promise<TestDaemon> {
  const { config = {}, ...more } = options
  return createTestDaemon(t, {
    ...box,
    ...more,
    config: {
      ...config,
      proxy: { http_port: 80, https_port: 443, ...config['proxy'] },
      dns: { port: 53, wpad: true, ...config['dns'] },
      gateway: { port: 9877, ...config['gateway'] },
    },
  })
}

export interface Witness {
  /** Stops watching, and gives every line of tcpdump; `more` are switches and a filter. */
  packets(...more: string[]): Promise<string[]>
}

/** tcpdump on the router's side to the internet. */
export async function watchUplink(t: Cleanup, { router }: House): Promise<Witness> {
  const capture = join(await tempFolder(t, 'capture'), 'wan.pcap')
  const args = ['-i', 'wan', '-n', '-U', '--immediate-mode', '-Z', 'root', '-w', capture]
  const tcpdump: Running = start(t, TCPDUMP, args, { netns: router.netns })
  await until('tcpdump to listen', () => tcpdump.output().includes('listening on'))
  return {
    async packets(...more) {
      await tcpdump.stop()
      const text = await output(TCPDUMP, ['-nn', '-r', capture, ...more], { timeoutMs: 60_000 })
      return text.split('\n').filter((line) => line !== '')
    },
  }
}

/** Names that were asked of name servers on the internet, as spelled but in lower case. */
export function askedNames(packets: readonly string[]): string[] {
  const names = packets.flatMap(
    (line) => / [A-Za-z0-9]+\?\s+(\S+?)\.? \(\d+\)/.exec(line)?.[1] ?? [],
  )
  return [...new Set(names.map((name) => name.toLowerCase()))]
}
