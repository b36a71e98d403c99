/** Publishing keys: one file of mode 0600 a key, holding the Ed25519 seed in hex. */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from '../../base/bytes.ts'
import { codeOf, messageOf } from '../../base/errors.ts'
import { type PublicKey, publicKey } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'
import type { KeyStore } from '../../base/ports/store.ts'
import { createFile, makeFolder, onDisk } from './durable.ts'
import { BadKeyName, BadSeed, KeyDamaged, KeyExists, NoKey } from './errors.ts'

// RFC 8410: the 16 bytes that make a raw Ed25519 seed a PKCS #8 private key.
const PKCS8_PREFIX = fromHex('302e020100300506032b657004220420')
const SEED_BYTES = 32
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/
const SUFFIX = '.key'

function privateKey(seed: Uint8Array): KeyObject {
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, seed))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

/** RFC 8410: the raw public key is the end of its SubjectPublicKeyInfo. */
function publicOf(seed: Uint8Array): PublicKey {
  const spki = createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' })
  return publicKey(toHex(spki.subarray(-32)))
}

export function createKeyStore(folder: string, log: Log): KeyStore {
  function pathOf(name: string): string {
    if (!NAME.test(name)) throw new BadKeyName(name.slice(0, 80))
    return join(folder, name + SUFFIX)
  }

  async function readSeed(name: string): Promise<Uint8Array | undefined> {
    const path = pathOf(name)
    let text: string
    try {
      text = await onDisk(path, () => readFile(path, 'utf8'))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
    const hex = text.trim()
    if (!/^[0-9a-fA-F]{64}$/.test(hex)) throw new KeyDamaged(path)
    return fromHex(hex)
  }

  async function neededSeed(name: string): Promise<Uint8Array> {
    const seed = await readSeed(name)
    if (!seed) throw new NoKey(name)
    return seed
  }

  async function writeSeed(name: string, seed: Uint8Array): Promise<PublicKey> {
    const path = pathOf(name)
    try {
      await onDisk(path, async () => {
        await makeFolder(folder, 0o700)
        await createFile(path, utf8(`${toHex(seed)}\n`), 0o600)
      })
    } catch (error) {
      if (codeOf(error) === 'EEXIST') throw new KeyExists(name, { cause: error })
      throw error
    }
    return publicOf(seed)
  }

  const create = (name: string) => writeSeed(name, randomBytes(SEED_BYTES))

  return {
    async list() {
      const entries = await onDisk(folder, async () => {
        await makeFolder(folder, 0o700)
        return readdir(folder)
      })
      const keys: { name: string; publicKey: PublicKey }[] = []
      for (const entry of entries.sort()) {
        const name = entry.slice(0, -SUFFIX.length)
        if (!entry.endsWith(SUFFIX) || !NAME.test(name)) continue
        try {
          keys.push({ name, publicKey: publicOf(await neededSeed(name)) })
        } catch (error) {
          log.warn({ key: name, reason: messageOf(error) }, 'a key cannot be read')
        }
      }
      return keys
    },
    async ensure(name) {
      const seed = await readSeed(name)
      if (seed) return publicOf(seed)
      try {
        return await create(name)
      } catch (error) {
        // Somebody else made it between the look and the write.
        if (error instanceof KeyExists) return publicOf(await neededSeed(name))
        throw error
      }
    },
    create,
    async publicKey(name) {
      const seed = await readSeed(name)
      return seed && publicOf(seed)
    },
    async importSeed(name, seed) {
      if (seed.length !== SEED_BYTES) throw new BadSeed(`${seed.length} bytes`)
      const known = await readSeed(name)
      if (known && equalBytes(known, seed)) return publicOf(known)
      return writeSeed(name, seed)
    },
    async exportSeed(name) {
      return neededSeed(name)
    },
    async sign(name, message) {
      return Uint8Array.from(sign(null, message, privateKey(await neededSeed(name))))
    },
  }
}
