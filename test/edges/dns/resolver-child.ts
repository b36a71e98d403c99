/** The resolver as a process of its own, on every private address: `resolver-child.ts [upstream server]`. */
import { silentLog } from '../../../src/base/ports/log.ts'
import { createDns } from '../../../src/edges/dns/index.ts'
import { createDnsUpstream } from '../../../src/engines/upstream-dns/index.ts'
import { testConfig } from '../../engines/upstream-dns/config.ts'
import { dnsConfig } from './house.ts'

const PORT = 5300
const servers = process.argv.slice(2)
const upstream = createDnsUpstream(
  { log: silentLog, readResolvConf: async () => '' },
  testConfig({ servers, try_timeout: 200 }),
)
const dns = createDns(
  { log: silentLog, upstream, tld: 'btlink', watchMs: 200 },
  dnsConfig({ port: PORT, listen: ['auto'] }),
)
await upstream.start(new AbortController().signal)
await dns.start(new AbortController().signal)
console.log('ready')
process.once('SIGTERM', () => {
  void Promise.all([dns.stop(), upstream.stop()]).then(() => process.exit(0))
})
