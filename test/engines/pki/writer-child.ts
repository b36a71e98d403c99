/**
 * Makes authorities in the folder of argv and replaces each twice, until it is killed. Prints
 * `<number> <sha256>` for every one that was acknowledged.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createPki } from '../../../src/engines/pki/index.ts'
import { pkiOptions } from './open-pki.ts'

const folder = process.argv[2] ?? ''
writeSync(1, 'ready\n')
for (let number = 0; ; number++) {
  const deps = { log: silentLog, clock: systemClock, folder: join(folder, String(number)) }
  const pki = createPki(deps, pkiOptions)
  await pki.start(new AbortController().signal)
  // Synchronous: what was printed before a kill has reached the test.
  writeSync(1, `${number} ${(await pki.root()).sha256}\n`)
  for (let i = 0; i < 2; i++) {
    writeSync(1, `${number} ${(await pki.rotate('names')).sha256}\n`)
  }
  await pki.forget('names')
  await pki.stop()
}
