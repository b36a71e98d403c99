/**
 * A resolver as a process of its own, with what the tests write: `front-house-child.ts JSON`, where the
 * JSON has `dns` and `upstream`, parts of these sections. Its loopback has an IPv6 address of a house.
 */
import { silentLog } from '../../../src/base/ports/log.ts'
import { createDns, type DnsConfig } from '../../../src/edges/dns/index.ts'
import {
  createDnsUpstream,
  type UpstreamDnsConfig,
} from '../../../src/engines/upstream-dns/index.ts'
import { testConfig } from '../../engines/upstream-dns/config.ts'
import { dnsConfig } from './house.ts'

interface Settings {
  dns: Partial<DnsConfig>
  upstream: Partial<UpstreamDnsConfig>
}

const { dns: section, upstream: servers } = JSON.parse(process.argv[2] ?? '{}') as Settings
const face = (address: string) =>
  ({ address, internal: true, cidr: null, family: 'IPv4', netmask: '', mac: '' }) as never
const upstream = createDnsUpstream(
  { log: silentLog, readResolvConf: async () => '' },
  testConfig({ try_timeout: 300, timeout: 1000, retry_after: 200, ...servers }),
)
const dns = createDns(
  {
    log: silentLog,
    upstream,
    tld: 'btlink',
    routed: (servers.routes ?? []).map((route) => route.split('=', 1)[0] ?? ''),
    interfaces: () => ({ lo: [face('127.0.0.1'), face('fd00:77::1')] }),
  },
  dnsConfig(section),
)
await upstream.start(new AbortController().signal)
await dns.start(new AbortController().signal)
console.log(`port ${dns.listening()[0]?.port}`)
process.once('SIGTERM', () => {
  void Promise.all([dns.stop(), upstream.stop()]).then(() => process.exit(0))
})
