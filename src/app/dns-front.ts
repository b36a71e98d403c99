/** The configuration of a resolver in front of ours, made from ours. */
import { createBoxAddresses, dnsmasqFront, planFront, unboundFront } from '../edges/dns/index.ts'
import { isSystem, parseRoute, parseServer } from '../engines/upstream-dns/index.ts'
import type { Config } from './config/schema.ts'

export interface UnboundOptions {
  /** Where it answers; none: everywhere. */
  interfaces: string[]
  zoneFile: string
}

/** Where Debian's unbound may write. */
export const ZONE_FILE = '/var/lib/unbound/btlinkd.rpz'

const planOf = (config: Config) =>
  planFront({
    tld: config.btlink.tld,
    config: config.dns,
    servers: config.upstream.servers.filter((text) => !isSystem(text)).map(parseServer),
    routes: config.upstream.routes.map(parseRoute),
    networks: createBoxAddresses(() => 0).networks(),
  })

export const unboundText = (config: Config, options: UnboundOptions): string =>
  unboundFront(planOf(config), config.dns, options)

export const dnsmasqText = (config: Config): string => dnsmasqFront(planOf(config), config.dns)

/** With the addresses and the folder of the file that was written before. */
export function unboundTextLike(config: Config, written = ''): string {
  const listed = [...written.matchAll(/^\s*interface:\s*(\S+)\s*$/gm)].map(([, one = '']) => one)
  // With this the addresses are those of "everywhere".
  const interfaces = written.includes('interface-automatic: yes') ? [] : listed
  const zoneFile = /^\s*zonefile:\s*"?([^"\n]+)"?\s*$/m.exec(written)?.[1] ?? ZONE_FILE
  return unboundText(config, { interfaces, zoneFile })
}
