/** DNS: a house without it is offline. */
import { randomBytes } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { RCODE, TYPE } from '../../base/dns/codes.ts'
import { reachOf } from '../../base/ip-reach.ts'
import { addressesIn, askDns, type DnsServer } from './ask-dns.ts'
import { type Check, failed, few, ok, unknown, warning } from './check.ts'
import { compareFront, FRONT_FILE } from './front-file.ts'
import type { Box, Facts, Machine } from './ports.ts'
import { partOf, statusOf } from './status.ts'

const DNS_PORT = 53
const DAY_SECONDS = 86_400
const MAX_ASKED = 6
/** RFC 4034: signatures. */
const RRSIG = 46

/** Where our resolver answers on this machine. */
async function ourResolver(box: Box, facts: Facts): Promise<DnsServer | undefined> {
  const port = (await box.listeners())['dns']?.port
  if (port === undefined || port === 0) return undefined
  const [first = 'auto'] = facts.dns.listen
  return {
    address: first === 'auto' || first === '0.0.0.0' || first === '::' ? '127.0.0.1' : first,
    port,
  }
}

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))

async function systemServers(machine: Machine): Promise<DnsServer[]> {
  const text = (await machine.read('/etc/resolv.conf')) ?? ''
  return [...text.matchAll(/^\s*nameserver\s+([0-9a-f.:]+)/gim)].map(([, address = '']) => ({
    address,
    port: DNS_PORT,
  }))
}

/** Servers whose addresses are known, those of the system among them. */
async function upstreams(machine: Machine, facts: Facts): Promise<DnsServer[]> {
  const listed = facts.upstreams.flatMap(({ text, address, port }) =>
    address === undefined || text.includes('://') ? [] : [{ address, port }],
  )
  const isSystem = facts.upstreams.some(({ text }) => text === 'system')
  return isSystem ? [...listed, ...(await systemServers(machine))] : listed
}

const off = (facts: Facts) => (facts.dns.enabled ? undefined : ok('the resolver is switched off'))

export const dnsChecks: readonly Check[] = [
  {
    id: 'dns',
    asks: "Does the box's resolver answer for the house?",
    severity: 'house',
    why: 'No device that asks this box finds any name: the whole internet seems gone.',
    remedy:
      'Start it: `systemctl restart btlinkd-dns`. Until it answers, let the router hand out another resolver.',
    fix: 'units',
    view: 'machine',
    async look({ box, facts }, signal) {
      const isOff = off(facts)
      if (isOff) return isOff
      const server = await ourResolver(box, facts)
      const name = `setup.${facts.tld}`
      const message = server && (await askDns(server, name, {}, signal))
      if (!message) return failed('nobody answers questions about names')
      const found = addressesIn(message)
      return found.length > 0
        ? ok(`${name} is ${few(found, 2)}`)
        : failed(`${name} has no address: the resolver does not know this box`)
    },
  },
  {
    id: 'dns-front',
    asks: 'Does the resolver in front know what ours knows?',
    severity: 'house',
    why: 'Names of content lead nowhere, or everything waits for a resolver that is not there.',
    remedy: 'Write its configuration anew: see docs/dns.md.',
    fix: 'front',
    view: 'machine',
    async look({ facts, machine }) {
      if (!facts.front) return ok('there is none in front')
      const written = await machine.read(FRONT_FILE)
      if (written === undefined) return unknown(`there is no ${FRONT_FILE} to compare`)
      const { isAsAsked, unanswered } = compareFront(written, await facts.front(written))
      if (!isAsAsked) return warning(`${FRONT_FILE} is not what the configuration asks for`)
      const line = `${FRONT_FILE} is as it should be`
      return ok(
        unanswered.length > 0
          ? `${line}, but older than a network of the provider: who asks from ${few(unanswered, 2)} is not answered`
          : line,
      )
    },
  },
  {
    id: 'dns-loop',
    asks: 'Does the resolver ask somebody else than itself?',
    severity: 'house',
    why: 'A box that asks itself finds nothing, and is busy with it.',
    remedy:
      "Name servers of the internet in upstream.servers, not the router where that one asks this box, and not the box's own address.",
    view: 'machine',
    async look({ facts, machine, box }) {
      const isOff = off(facts)
      if (isOff) return isOff
      const own = new Set([...ownAddresses(), '127.0.0.1', '::1'])
      const listeners = await box.listeners()
      const ours = new Set([
        listeners['dns']?.port ?? 0,
        ...(facts.dns.front.length > 0 ? [DNS_PORT] : []),
      ])
      const loops = (await upstreams(machine, facts)).filter(
        ({ address, port }) => (own.has(address) || address.startsWith('127.')) && ours.has(port),
      )
      return loops.length > 0
        ? failed(
            `it asks itself at ${loops.map(({ address, port }) => `${address}:${port}`).join(', ')}`,
          )
        : ok('its servers are others')
    },
  },
  {
    id: 'upstreams',
    asks: 'Do the servers that the resolver asks answer?',
    severity: 'house',
    why: 'Names of the internet are found late or not at all.',
    remedy:
      'Look whether the internet is there at all; else name other servers in upstream.servers.',
    view: 'machine',
    async look({ facts, machine, box }, signal) {
      const servers = (await upstreams(machine, facts)).slice(0, MAX_ASKED)
      const silent: string[] = []
      await Promise.all(
        servers.map(async (server) => {
          if (!(await askDns(server, '.', { type: TYPE.NS }, signal))) silent.push(server.address)
        }),
      )
      const part = await partOf(box, 'upstream-dns')
      if (servers.length === 0) {
        if (!part) return unknown('they are known by name only, and no daemon runs')
        return part.status === 'ok' ? ok('they answer') : failed(part.detail ?? 'none answers')
      }
      if (silent.length === servers.length) return failed(`no answer from ${few(silent)}`)
      return silent.length > 0
        ? warning(`no answer from ${few(silent)}`)
        : ok(`${servers.length} answer`)
    },
  },
  {
    id: 'dns-honest',
    asks: 'Does the provider say so where a name does not exist?',
    severity: 'later',
    why: 'Mistyped names lead to advertisements, and programs believe in servers that are none.',
    remedy: 'Name another server in upstream.servers, such as tls://9.9.9.9#dns.quad9.net.',
    view: 'machine',
    async look({ facts, machine }, signal) {
      const [server] = await upstreams(machine, facts)
      if (!server) return unknown('no server is known by address')
      const message = await askDns(server, `${randomBytes(9).toString('hex')}.com`, {}, signal)
      if (!message) return unknown(`${server.address} does not answer`)
      const found = addressesIn(message)
      if (found.length > 0)
        return warning(`${server.address} leads names that do not exist to ${found[0]}`)
      return message.rcode === RCODE.NXDOMAIN
        ? ok('it says so')
        : unknown(`it says neither (rcode ${message.rcode})`)
    },
  },
  {
    id: 'dnssec',
    asks: 'Do signatures of DNS come through?',
    severity: 'later',
    why: 'A resolver in front that verifies signatures refuses every name without them.',
    remedy: 'Some routers drop them: name a server of the internet in upstream.servers.',
    view: 'machine',
    async look({ facts, machine }, signal) {
      const [server] = await upstreams(machine, facts)
      if (!server) return unknown('no server is known by address')
      const message = await askDns(server, '.', { type: TYPE.SOA, dnssec: true }, signal)
      if (!message || message.answers.length === 0)
        return unknown(`${server.address} does not know the root`)
      if (message.answers.some(({ type }) => type === RRSIG)) return ok('they come through')
      return facts.front
        ? failed(`${server.address} takes the signatures out`)
        : warning(`${server.address} takes the signatures out`)
    },
  },
  {
    id: 'rebinding',
    asks: 'Are names of the internet kept from pointing into the house?',
    severity: 'some',
    why: 'A page from outside could otherwise speak to the router and to cameras.',
    remedy: 'Set dns.block_private back to true; domains that need it belong in dns.allow_private.',
    view: 'machine',
    async look({ facts }) {
      const isOff = off(facts)
      if (isOff) return isOff
      return facts.dns.blockPrivate ? ok('they are') : warning('dns.block_private is switched off')
    },
  },
  {
    id: 'wpad',
    asks: 'Do browsers find the way by themselves (wpad)?',
    severity: 'some',
    why: 'Without it every device has to be told of the proxy by hand.',
    remedy: 'Look whether port 80 of this box is free for it: see the check `ports`.',
    view: 'machine',
    async look({ box, facts }, signal) {
      if (!facts.dns.wpad || !facts.dns.enabled) return ok('it is switched off')
      const server = await ourResolver(box, facts)
      const message = server && (await askDns(server, 'wpad.home.arpa', {}, signal))
      if (!message) return failed('the resolver does not answer')
      const [address] = addressesIn(message)
      if (address === undefined) return failed('the resolver has no address for wpad')
      const port = (await box.listeners())['http']?.port ?? 0
      if (port === 0) return failed('nobody serves wpad.dat')
      const answer = await fetch(`http://${address}:${port}/wpad.dat`, { signal }).catch(
        () => undefined,
      )
      const text = (await answer?.text()) ?? ''
      return text.includes('FindProxyForURL')
        ? ok(`${address} serves wpad.dat`)
        : failed(`${address}:${port} does not serve wpad.dat`)
    },
  },
  {
    id: 'dns-clients',
    asks: 'Does anybody in the house ask this box?',
    severity: 'some',
    why: 'Names of content work only on devices that ask this box.',
    remedy: "Enter this box's address as the DNS server in the router's DHCP settings.",
    view: 'machine',
    async look({ box, facts }) {
      const isOff = off(facts)
      if (isOff) return isOff
      const [metrics, status] = await Promise.all([box.metrics(), statusOf(box)])
      const asked = metrics?.get('dns_queries')
      if (asked === undefined || !status) return unknown('no daemon runs')
      if (asked > 0) return ok(`${asked} questions since it started`)
      return status.uptimeSeconds > DAY_SECONDS
        ? warning('nobody has asked for a day')
        : unknown('nobody has asked yet; it has not been up for a day')
    },
  },
  {
    id: 'dns-closed',
    asks: 'Is the resolver closed to the internet?',
    severity: 'some',
    why: 'An open resolver is used to attack others within hours.',
    remedy:
      'Let the router not lead port 53 to this box, and name addresses of the house in dns.listen.',
    view: 'machine',
    async look({ facts }) {
      const isOff = off(facts)
      if (isOff) return isOff
      const isWide = facts.dns.listen.some((one) => one === '0.0.0.0' || one === '::')
      const open = ownAddresses().filter((address) => reachOf(address) === 'public')
      return isWide && open.length > 0
        ? warning(`it listens at ${few(open, 2)}, which the internet reaches`)
        : ok('it answers the house alone')
    },
  },
]
