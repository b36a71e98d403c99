/** Writes to a shelf until it is killed, and says when it has begun. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { argv, stdout } from 'node:process'
import { silentLog } from '../../../src/base/ports/log.ts'
import { readChain } from '../../../src/engines/acme/chain.ts'
import { createLedger } from '../../../src/engines/acme/ledger.ts'
import { createShelf } from '../../../src/engines/acme/shelf.ts'
import { DIRECTORY, HOST } from './shelf-place.ts'

const [, , folder = '', keyFile = '', chainFile = ''] = argv
const shelf = createShelf(folder, DIRECTORY, silentLog)
const key = createPrivateKey(readFileSync(keyFile))
const leaf = readChain(readFileSync(chainFile, 'latin1'), key, [HOST], Date.now())
const ledger = createLedger(undefined)
for (let round = 1; ; round++) {
  await shelf.accountKey()
  ledger.begin(HOST, true, Date.now())
  await shelf.saveLedger(ledger.write())
  await shelf.save(HOST, leaf)
  if (round === 1) stdout.write('began\n')
}
