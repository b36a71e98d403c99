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
import {
  btlinkConfigSchema,
  proxyConfigSchema,
  uploadsConfigSchema,
} from '../src/edges/gateway/config.ts'
import { createFakeLibrary } from '../test/fakes/library.ts'

const [, , folder = '.', state = '.'] = process.argv
// A torrent that is whole on disk: what the library says of every finished download.
const fake = createFakeLibrary(state)
const files: Record<string, Uint8Array> = {}
for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name))
const { infoHash } = await fake.add(files, { pieceLength: 1024 * 1024 })
for (const name of Object.keys(files)) delete files[name]

const gateway = createGateway(
  { ...fake, log: silentLog, clock: systemClock },
  {
    btlink: Value.Create(btlinkConfigSchema),
    proxy: { ...Value.Create(proxyConfigSchema), address: '127.0.0.1', http_port: 0 },
    uploads: Value.Create(uploadsConfigSchema),
  },
)
await gateway.start(new AbortController().signal)
const origin = `http://127.0.0.1:${gateway.port}`
console.log(JSON.stringify({ origin, host: `${infoHash}-ih.btlink` }))
