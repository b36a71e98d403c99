/** The house's network as the box finds it. */
import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from '../../base/errors.ts'
import { ipBytes } from '../../base/ip-address.ts'
import { askMdns } from './ask-mdns.ts'
import { isAppliance } from './appliance.ts'
import { type Check, failed, few, ok, unknown, warning } from './check.ts'
import { askDhcp, type DhcpOffer } from './dhcp.ts'
import {
  broadcastOf,
  defaultRoute,
  defaultRoute6,
  houseAddress,
  houseInterfaces,
  publicIpv6,
} from './network-facts.ts'
import type { Machine, Ports } from './ports.ts'
import { holderOf, isOurs } from './sockets-in-use.ts'

const DHCP_WAIT_MS = 2000
const MDNS_WAIT_MS = 1200
const ARP_WAIT_MS = 700
const NAME_ON_CARD =
  'Give this one another name: system.hostname in rpi-preseed.toml on the card (docs/first-boot.md), taken at the next start.'

/** Where the doctor keeps the address that the box had when it was first looked at. */
export const addressFile = (stateDir: string): string => join(stateDir, 'doctor-address')

/** Makes the kernel ask who has the address, and waits as long as an answer takes. */
async function touch(address: string, signal: AbortSignal): Promise<void> {
  const socket = createSocket('udp4')
  socket.on('error', () => undefined)
  // The port of "discard" (RFC 863): nobody has to be there.
  socket.send(Buffer.alloc(1), 9, address, () => undefined)
  await sleep(ARP_WAIT_MS, undefined, { signal }).catch(() => undefined)
  socket.close()
}

/** Asked once for both checks of a run. */
const dhcpAnswers = new WeakMap<Machine, Promise<DhcpOffer[] | string>>()

function dhcpOf(machine: Machine, signal: AbortSignal): Promise<DhcpOffer[] | string> {
  const known = dhcpAnswers.get(machine)
  if (known) return known
  const asked = (async () => {
    const own = await houseAddress(machine)
    const address = own && ipBytes(own.address)
    if (!own || !address) return 'the box has no address'
    const hardware = Buffer.from(own.mac.replaceAll(':', ''), 'hex')
    try {
      const offers = await askDhcp(
        { address, hardware, broadcast: broadcastOf(own.cidr), waitMs: DHCP_WAIT_MS },
        signal,
      )
      return offers.length > 0 ? offers : 'no DHCP server answers'
    } catch (error) {
      const code = codeOf(error)
      if (code === 'EACCES' || code === 'EPERM') return 'only root may ask: `sudo btlinkd doctor`'
      return code === 'EADDRINUSE'
        ? 'another program asks DHCP servers here'
        : `cannot ask: ${code ?? 'unknown'}`
    }
  })()
  dhcpAnswers.set(machine, asked)
  return asked
}

async function conflictsOf({ facts, box, machine }: Ports, signal: AbortSignal): Promise<string[]> {
  const listeners = await box.listeners()
  const isRunning = await box.isRunning()
  const conflicts: string[] = []
  for (const { key, listener, port, transports } of facts.ports) {
    if (port === 0) continue
    const isBound = isRunning && listeners[listener]?.port === port
    for (const transport of transports) {
      if (isBound) continue
      const holder = await holderOf(machine, port, transport, signal)
      if (!holder || (await isOurs(machine, holder))) continue
      const who =
        holder.program === undefined
          ? 'another program'
          : `${holder.program} (process ${holder.pid})`
      conflicts.push(`${key} ${port}/${transport} is taken by ${who}`)
    }
  }
  return conflicts
}

export const networkChecks: readonly Check[] = [
  {
    id: 'ports',
    asks: 'Are the ports of the box free for it?',
    severity: 'house',
    why: 'A part of the box that does not get its port does not start.',
    remedy:
      'End the program that has the port (`systemctl disable --now NAME`), or give the box another one under the key that is named.',
    view: 'machine',
    async look(ports, signal) {
      const conflicts = await conflictsOf(ports, signal)
      return conflicts.length > 0 ? failed(few(conflicts, 3)) : ok('nobody else has them')
    },
  },
  {
    id: 'gateway',
    asks: 'Is the router there?',
    severity: 'house',
    why: 'Without it nothing of the internet is reached; what is stored still opens.',
    remedy: 'Look at the cable or the WLAN, and whether the router is on.',
    view: 'machine',
    async look({ machine }, signal) {
      const route = await defaultRoute(machine)
      if (!route) return failed('there is no way to the internet: no router is known')
      const ping = await machine.run(
        'ping',
        ['-n', '-c', '2', '-i', '0.2', '-W', '1', route.gateway],
        signal,
      )
      if (ping?.code === 0) return ok(`${route.gateway} answers`)
      // Many routers do not answer pings; that one answers ARP says as much (proc_net_arp: 0x2 is complete).
      await touch(route.gateway, signal)
      const entry = ((await machine.read('/proc/net/arp')) ?? '')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .find(([address]) => address === route.gateway)
      if (entry && (Number(entry[2]) & 2) !== 0) return ok(`${route.gateway} is there`)
      return failed(`the router ${route.gateway} does not answer`)
    },
  },
  {
    id: 'ipv6',
    asks: 'Does IPv6 work where there is an address of it?',
    severity: 'some',
    why: 'Devices try IPv6 first, and pages open late or not at all.',
    remedy: 'Restart the router; where the provider has no IPv6, switch it off there.',
    view: 'machine',
    async look({ machine }, signal) {
      const [address] = publicIpv6()
      if (address === undefined) return ok('there is no public address of IPv6')
      const route = await defaultRoute6(machine)
      if (!route) return warning(`the box has ${address}, but no way to the internet over IPv6`)
      const target = route.gateway.startsWith('fe80')
        ? `${route.gateway}%${route.interface}`
        : route.gateway
      const ping = await machine.run(
        'ping',
        ['-6', '-n', '-c', '2', '-i', '0.2', '-W', '1', target],
        signal,
      )
      if (!ping) return unknown('there is no ping here')
      return ping.code === 0
        ? ok(`${route.gateway} answers`)
        : warning(`the router ${target} does not answer over IPv6`)
    },
  },
  {
    id: 'address',
    asks: 'Has the box a lasting address?',
    severity: 'house',
    why: 'Devices and router ask for the box at the address it had.',
    remedy:
      'Let the router always give this box the same address; then accept it with `btlinkd doctor --fix`, and enter it where the old one stood.',
    fix: 'address',
    view: 'machine',
    async look({ machine, facts: { stateDir } }) {
      const own = await houseAddress(machine)
      if (!own) return failed('the box has no IPv4 address')
      if (own.address.startsWith('169.254.'))
        return failed(`the box gave itself ${own.address}: no DHCP server answered`)
      const former = (await readFile(addressFile(stateDir), 'utf8').catch(() => '')).trim()
      const isFormer = houseInterfaces().some(({ address }) => address === former)
      return former === '' || isFormer
        ? ok(former === '' ? own.address : former)
        : warning(`the address was ${former}, and is ${own.address} now`)
    },
  },
  {
    id: 'dhcp-servers',
    asks: 'Is there one DHCP server in the house?',
    severity: 'some',
    why: 'With two, devices get one or the other, and half of them do not work.',
    remedy: 'Switch one off: an old router or a second access point mostly.',
    view: 'machine',
    async look({ machine }, signal) {
      const offers = await dhcpOf(machine, signal)
      if (typeof offers === 'string') return unknown(offers)
      const servers = offers.map(({ server }) => server)
      return servers.length > 1
        ? warning(`${servers.length} answer: ${few(servers)}`)
        : ok(`one: ${few(servers)}`)
    },
  },
  {
    id: 'dhcp-dns',
    asks: 'Does the router name this box as the resolver?',
    severity: 'some',
    why: 'Names of content work only on devices that ask this box.',
    remedy: "Enter this box's address as the only DNS server in the router's DHCP settings.",
    view: 'machine',
    async look({ machine, facts }, signal) {
      if (!facts.dns.enabled) return ok('the resolver is switched off')
      const offers = await dhcpOf(machine, signal)
      if (typeof offers === 'string') return unknown(offers)
      const own = new Set(houseInterfaces().map(({ address }) => address))
      const all = offers.flatMap(({ dns }) => dns)
      const others = all.filter((one) => !own.has(one))
      if (all.length === others.length)
        return warning(`the router names ${all.length > 0 ? few(others) : 'none'}, not this box`)
      return others.length > 0
        ? warning(`the router names ${few(others)} beside this box: devices ask either`)
        : ok('it does')
    },
  },
  {
    id: 'mdns',
    asks: "Is the box's name its own?",
    severity: 'some',
    why: 'Two machines of one name: the page of the box opens now and then.',
    remedy: 'Give this one another name: `hostnamectl set-hostname NAME`.',
    view: 'machine',
    async look({ machine }, signal) {
      const name = `${hostname().split('.')[0]}.local`
      const own = new Set(houseInterfaces().map(({ address }) => address))
      const said = await askMdns(name, MDNS_WAIT_MS, signal)
      const others = [...said].filter((address) => !own.has(address) && !address.startsWith('127.'))
      if (others.length === 0) return ok(`nobody else is ${name}`)
      const line = `${name} is also said to be ${few(others)}`
      return warning(line, (await isAppliance(machine)) ? NAME_ON_CARD : undefined)
    },
  },
]
