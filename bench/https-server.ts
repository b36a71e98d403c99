/**
 * The door that bench/https.ts measures, with the gateway behind it, alone in a process that can be
 * pinned: `node bench/https-server.ts FOLDER STATE`. Prints where it listens, as one JSON line.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { steadyClock, systemClock } from '../src/base/ports/clock.ts'
import { silentLog } from '../src/base/ports/log.ts'
import { createGateway } from '../src/edges/gateway/index.ts'
import { btlinkConfigSchema, uploadsConfigSchema } from '../src/edges/gateway/config.ts'
import { createProxy } from '../src/edges/proxy/index.ts'
import { proxyServerConfigSchema } from '../src/edges/proxy/config.ts'
import { createPki } from '../src/engines/pki/index.ts'
import { pkiOptions } from '../test/engines/pki/open-pki.ts'
import { createFakeLibrary } from '../test/fakes/library.ts'

const [, , folder = '.', state = '.'] = process.argv
const fake = createFakeLibrary(state)
const files: Record<string, Uint8Array> = {}
for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name))
const { infoHash } = await fake.add(files, { pieceLength: 1024 * 1024 })
for (const name of Object.keys(files)) delete files[name]

const signal = new AbortController().signal
const deps = { log: silentLog, clock: systemClock, folder: join(state, 'pki') }
const pki = createPki(deps, pkiOptions)
await pki.start(signal)
const gateway = createGateway(
  { ...fake, log: silentLog, clock: steadyClock },
  { btlink: Value.Create(btlinkConfigSchema), uploads: Value.Create(uploadsConfigSchema) },
)
await gateway.start(signal)
const proxy = createProxy(
  {
    isServed: (host) => host.endsWith('.btlink'),
    serve: (req, res) => gateway.server.emit('request', req, res),
    leaf: (host) => pki.leaf(host),
    fallback: () => pki.fallback(),
    lookup: async () => [],
    log: silentLog,
  },
  {
    ...Value.Create(proxyServerConfigSchema),
    address: '127.0.0.1',
    http_port: 0,
    https_port: 0,
    header_timeout: 5000,
    idle_timeout: 60_000,
    max_connections: 1000,
    secure_host: 'proxy.btlink',
    other_sites: false,
    request_headers: false,
  },
)
await proxy.start(signal)
const { pem } = await pki.root()
const ports = { http: proxy.httpPort, https: proxy.httpsPort }
console.log(JSON.stringify({ ...ports, host: `${infoHash}-ih.btlink`, ca: pem }))
