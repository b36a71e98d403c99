/** Our resolver as a process of its own, for the bench: `node bench/dns-server.ts <authority's port>`. */
import { silentLog } from '../src/base/ports/log.ts'
import { createDns } from '../src/edges/dns/index.ts'
import { createDnsUpstream } from '../src/engines/upstream-dns/index.ts'
import { dnsConfig } from '../test/edges/dns/house.ts'
import { testConfig } from '../test/engines/upstream-dns/config.ts'

const authority = process.argv[2] ?? '53'
const zone = 'example.test'
const upstream = createDnsUpstream(
  { log: silentLog, readResolvConf: async () => '' },
  testConfig({ routes: [`${zone}=127.0.0.1:${authority}`], max_in_flight: 2000 }),
)
const limits = { max_rate: 1_000_000, burst: 1_000_000 }
const dns = createDns(
  { log: silentLog, upstream, tld: 'btlink', routed: [zone] },
  dnsConfig({ ...limits, cache_size: 64 * 1024 * 1024, max_ttl: 86_400_000 }),
)
await upstream.start(new AbortController().signal)
await dns.start(new AbortController().signal)
console.log(`port ${dns.listening()[0]?.port}`)
process.once('SIGTERM', () => {
  void Promise.all([dns.stop(), upstream.stop()])
})
