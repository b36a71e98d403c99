/** A state folder that remembers visited sites, each with three signed versions. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { Value } from 'typebox/value'
import { encode } from '../src/base/bencode.ts'
import { signedBytes } from '../src/base/bep44.ts'
import { toHex } from '../src/base/bytes.ts'
import { infoHash, publicKey } from '../src/base/hashes.ts'
import { silentLog } from '../src/base/ports/log.ts'
import { createStore } from '../src/engines/store/index.ts'
import { storageConfigSchema } from '../src/engines/store/config.ts'

const VERSIONS = 3
const SPKI_PREFIX_BYTES = 12

export async function knownSites(state: string, count: number): Promise<void> {
  const config = { ...Value.Create(storageConfigSchema), stateDir: state }
  const store = createStore({ log: silentLog }, config)
  await store.start(new AbortController().signal)
  const now = Date.now()
  for (let site = 0; site < count; site++) {
    const pair = generateKeyPairSync('ed25519')
    const spki = pair.publicKey.export({ type: 'spki', format: 'der' })
    const key = publicKey(toHex(spki.subarray(SPKI_PREFIX_BYTES)))
    const salt = new Uint8Array(0)
    for (let seq = 1; seq <= VERSIONS; seq++) {
      const ih = randomBytes(20)
      const value = encode({ ih })
      const signature = sign(null, signedBytes(salt, seq, value), pair.privateKey)
      store.sites.remember({
        publicKey: key,
        salt,
        seq,
        value,
        signature,
        infoHash: infoHash(toHex(ih)),
        firstSeenAt: now,
        confirmedAt: now,
      })
    }
    store.sites.visited(key, salt, now)
  }
  await store.stop()
}
