/** The lines for dnsmasq in front of this resolver: for OpenWrt, Pi-hole and whoever has one running. */
import type { DnsConfig } from '../config.ts'
import { DnsBadFront } from '../errors.ts'
import { CANARIES } from '../handlers/special-names.ts'
import type { FrontPlan, FrontServer } from './plan.ts'

const SPECIAL = ['local', 'onion', 'invalid', 'test', 'alt', 'resolver.arpa']

/** @throws DnsBadFront where dnsmasq cannot ask it */
function place({ text, transport, address, port }: FrontServer): string {
  if (transport !== 'udp' || address === undefined) {
    throw new DnsBadFront(
      text,
      'cannot be asked by dnsmasq: it needs an address, and asks in clear',
    )
  }
  return `${address}#${port}`
}

/** @throws DnsBadFront */
export function dnsmasqFront(plan: FrontPlan, config: DnsConfig): string {
  const { authority, ours, written, routes, servers } = plan
  const us = `${authority.address}#${authority.port}`
  const mayBePrivate = [...plan.mayBePrivate, ...written]
  return [
    '# dnsmasq in front of btlinkd, made by: btlinkd dns front dnsmasq',
    `port=${plan.port}`,
    // Not domain-needed: that would keep the bare domains below from us.
    'local=//',
    'bogus-priv',
    ...(config.block_private
      ? ['stop-dns-rebind', `rebind-domain-ok=/${mayBePrivate.join('/')}/`]
      : []),
    'edns-packet-max=1232',
    'cache-size=10000',
    `max-cache-ttl=${Math.floor(config.max_ttl / 1000)}`,
    ...(config.stale_for === 0 ? [] : [`use-stale-cache=${Math.floor(config.stale_for / 1000)}`]),
    '# Names of content, of the house and of the household: btlinkd knows them.',
    ...[...ours, ...written].map((domain) => `server=/${domain}/${us}`),
    '# Names that must not leave the house.',
    ...SPECIAL.filter((domain) => !ours.includes(domain)).map((domain) => `local=/${domain}/`),
    ...(config.canaries ? CANARIES.map((name) => `local=/${name}/`) : []),
    ...routes.flatMap(({ zone, servers: own }) =>
      own.map((server) => `server=/${zone}/${place(server)}`),
    ),
    ...(servers.length === 0 ? [] : ['no-resolv', ...servers.map((one) => `server=${place(one)}`)]),
    '',
  ].join('\n')
}
