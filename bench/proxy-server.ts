/** The proxy that bench/proxy.ts measures, alone in a process that can be pinned. Prints its port as one JSON line. */
import { Value } from 'typebox/value'
import { silentLog } from '../src/base/ports/log.ts'
import { createProxy } from '../src/edges/proxy/index.ts'
import { proxyServerConfigSchema } from '../src/edges/proxy/config.ts'

const noCertificate = async () => Promise.reject(new Error('no certificates here'))
const proxy = createProxy(
  {
    isServed: () => false,
    serve: (_req, res) => void res.writeHead(404).end(),
    leaf: noCertificate,
    fallback: noCertificate,
    lookup: async () => [],
    log: silentLog,
  },
  {
    ...Value.Create(proxyServerConfigSchema),
    address: '127.0.0.1',
    http_port: 0,
    https_port: 0,
    connect_ports: [Number(process.argv[2])],
    allow_private: ['127.0.0.1'],
    header_timeout: 5000,
    idle_timeout: 60_000,
    max_connections: 1000,
    secure_host: 'proxy.btlink',
    other_sites: true,
    request_headers: false,
  },
)
await proxy.start(new AbortController().signal)
console.log(JSON.stringify({ port: proxy.httpPort }))
