/** Starts an authority in the folder of argv, and prints a leaf and the root as JSON. */
import { systemClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createPki } from '../../../src/engines/pki/index.ts'
import { pkiOptions, siteHost } from './open-pki.ts'

const folder = process.argv[2] ?? ''
const pki = createPki({ log: silentLog, clock: systemClock, folder }, pkiOptions)
await pki.start(new AbortController().signal)
const { cert } = await pki.leaf(siteHost(1))
const { pem, sha256 } = await pki.root()
process.stdout.write(`${JSON.stringify({ leaf: cert, root: pem, sha256 })}\n`)
await pki.stop()
