/** A box that asks its router for port 6881, and gives it back when a line comes in. */
import { createPortMapping } from '../../../src/engines/torrent/discovery/port-mapping.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { until } from '../../support/until.ts'

const mapping = createPortMapping({ log: silentLog })
mapping.start(6881)
await until('the mapping', () => mapping.externalPort() > 0, { timeoutMs: 15_000 })
console.log(`mapped ${mapping.externalPort()}`)
process.stdin.once('data', () => {
  void mapping.stop().then(() => {
    console.log('given back')
    process.exit()
  })
})
