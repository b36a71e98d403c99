/**
 * The gateway that bench/gateway.ts measures, alone in a process that can be pinned:
 * `node bench/gateway-server.ts FOLDER STATE`. Prints where it listens, as one JSON line.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { systemClock } from '../src/base/ports/clock.ts'
import { silentLog } from '../src/base/ports/log.ts'
import { createGateway } from '../src/edges/gateway/index.ts'
import { btlinkConfigSchema, uploadsConfigSchema } from '../src/edges/gateway/config.ts'
import { createProxy } from '../src/edges/proxy/index.ts'
import { proxyServerConfigSchema } from '../src/edges/proxy/config.ts'
import { createFakeLibrary } from '../test/fakes/library.ts'

const [, , folder = '.', state = '.'] = process.argv
// A torrent that is whole on disk: what the library says of every finished download.
const fake = createFakeLibrary(state)
const files: Record<string, Uint8Array> = {}
for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name))
const { infoHash } = await fake.add(files, { pieceLength: 1024 * 1024 })
for (const name of Object.keys(files)) delete files[name]

const btlink = Value.Create(btlinkConfigSchema)
const gateway = createGateway(
  { ...fake, log: silentLog, clock: systemClock },
  { btlink, uploads: Value.Create(uploadsConfigSchema) },
)
await gateway.start(new AbortController().signal)

// As on the box: requests come through the proxy. Nobody asks for other sites or certificates here.
const nothing = () => Promise.reject(new Error('not asked for in this benchmark'))
const proxy = createProxy(
  {
    isServed: () => true,
    answer: () => false,
    serve: (req, res) => void gateway.server.emit('request', req, res),
    leaf: nothing,
    fallback: nothing,
    lookup: nothing,
    log: silentLog,
  },
  {
    ...btlink,
    ...Value.Create(proxyServerConfigSchema),
    address: '127.0.0.1',
    http_port: 0,
    https_port: 0,
    other_sites: false,
    secure_host: 'proxy.btlink',
    request_headers: false,
  },
)
await proxy.start(new AbortController().signal)
const origin = `http://127.0.0.1:${proxy.httpPort}`
console.log(JSON.stringify({ origin, host: `${infoHash}-ih.btlink` }))
