/** A box at rest with something to back up, and the place of its backups. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EMPTY } from '../../../src/base/bytes.ts'
import { publicKey } from '../../../src/base/hashes.ts'
import { makeStore } from '../../engines/store/open-store.ts'
import { makeBox } from '../../services/backup/box.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { stateAtRest } from './state-at-rest.ts'

export const PASSPHRASE = 'correct horse battery staple'

/** A box with a root, a key, a site at version 7, a visited site, and the folder of its backups. */
export async function backedUpBox(t: Cleanup) {
  const rest = await stateAtRest(t)
  const { state, cli } = rest
  const { key, torrent: own } = await makeBox(state, 'home', 'btlink')
  const store = makeStore(state)
  await store.start(new AbortController().signal)
  store.sites.visited(publicKey('77'.repeat(32)), EMPTY, 1)
  await store.stop()
  const away = await tempFolder(t, 'away')
  const file = join(away, 'box.btlinkd-backup')
  const secret = join(away, 'secret')
  await writeFile(secret, `${PASSPHRASE}\n`)
  const backup = (...args: string[]) => cli(['backup', ...args, '--passphrase-file', secret])
  return { ...rest, key, torrent: own, file, secret, away, backup }
}
