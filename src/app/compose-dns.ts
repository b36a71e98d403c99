/** The dns role: the house's resolver, and what it asks for names of the internet. */
import { steadyClock } from '../base/ports/clock.ts'
import { createDns } from '../edges/dns/index.ts'
import { createDnsUpstream } from '../engines/upstream-dns/index.ts'
import { createLinks } from '../services/links/index.ts'
import type { Config } from './config/schema.ts'
import { linksOptions } from './house-names.ts'
import { createLog } from './log-lines.ts'
import type { ComposedRole } from './roles/composed-role.ts'
import { type GivenSockets, udpFamily } from './roles/given-sockets.ts'
import { createPriority } from './roles/priority.ts'
import { offerDnsPorts } from './roles/remote-ports.ts'
import { createRpcServer } from './roles/rpc-server.ts'
import { askResolver } from './roles/self-query.ts'
import { createRunFolder, dnsSocket } from './run-folder.ts'

export function composeDns(config: Config, given: GivenSockets): ComposedRole {
  const log = createLog('dns', config.log)
  const { tld } = config.btlink
  const upstream = createDnsUpstream(
    {
      log,
      isOwn: (address, port) =>
        dns.listening().some((own) => own.address === address && own.port === port),
    },
    config.upstream,
  )
  const routed = config.upstream.routes.map((route) => route.split('=', 1)[0]?.trim() ?? '')
  const links = createLinks({ upstream, clock: steadyClock, log }, linksOptions(config))
  const sockets = {
    udp: (given.get('dns-udp') ?? []).map((fd) => ({ fd, family: udpFamily(fd) })),
    tcp: given.get('dns-tcp') ?? [],
  }
  const dns = createDns({ log, upstream, links, tld, routed, given: sockets }, config.dns)
  const rpc = createRpcServer(dnsSocket(config.state_dir), offerDnsPorts({ dns, upstream }), log)

  return {
    components: [
      createRunFolder(config.state_dir, 'dns'),
      createPriority(log),
      upstream,
      links,
      dns,
      rpc,
    ],
    async listeners() {
      const [first] = dns.listening()
      return first ? { dns: { port: first.port, transport: 'tcp+udp' } } : {}
    },
    ask: (signal) => askResolver(dns.listening(), tld, signal),
    status() {
      const places = dns.listening()
      const { queries = 0 } = dns.stats()
      return `answers at ${places.length} addresses, port ${places[0]?.port ?? 0}: ${queries} questions so far`
    },
  }
}
