/** A stream locked with a passphrase, in the form of age v1 (C2SP): chunks of 64 KiB, each authentic. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { derive, makeHead, readHead, TAG_BYTES } from './age-header.ts'
import { createByteSource } from './byte-source.ts'
import { Damaged } from './errors.ts'

const NONCE_BYTES = 16
const CHUNK_BYTES = 65_536
const COUNTER_BYTES = 11

/** C2SP age, "Payload": eleven bytes of counter, and one that marks the last chunk. */
function nonceOf(counter: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(COUNTER_BYTES + 1)
  nonce.writeUIntBE(counter, COUNTER_BYTES - 6, 6)
  nonce[COUNTER_BYTES] = isLast ? 1 : 0
  return nonce
}

function sealChunk(key: Buffer, counter: number, chunk: Uint8Array, isLast: boolean): Buffer {
  const cipher = createCipheriv('chacha20-poly1305', key, nonceOf(counter, isLast), {
    authTagLength: TAG_BYTES,
  })
  return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()])
}

/** @throws Damaged */
function openChunk(key: Buffer, counter: number, sealed: Buffer, isLast: boolean): Buffer {
  if (sealed.length < TAG_BYTES) throw new Damaged('it ends in the middle')
  const end = sealed.length - TAG_BYTES
  const decipher = createDecipheriv('chacha20-poly1305', key, nonceOf(counter, isLast), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAuthTag(sealed.subarray(end))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()])
  } catch (error) {
    const what = isLast
      ? 'it ends in the middle, or its end'
      : `what is at byte ${counter * CHUNK_BYTES}`
    throw new Damaged(`${what} was changed`, { cause: error })
  }
}

/** @param passphrase checked before */
export async function* seal(
  plain: AsyncIterable<Uint8Array>,
  passphrase: string,
  logN?: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { head, fileKey } = await makeHead(passphrase, logN)
  const nonce = randomBytes(NONCE_BYTES)
  yield Buffer.concat([head, nonce])
  const key = derive(fileKey, nonce, 'payload')
  const source = createByteSource(plain)
  let chunk = await source.take(CHUNK_BYTES)
  for (let counter = 0; ; counter++) {
    // Only what follows tells whether a chunk is the last.
    const next = await source.take(CHUNK_BYTES)
    yield sealChunk(key, counter, chunk, next.length === 0)
    if (next.length === 0) return
    chunk = next
  }
}

/** Nothing is given out that was not found authentic. @throws NotABackup, BadPassphrase, Damaged */
export async function* unseal(
  sealed: AsyncIterable<Uint8Array>,
  passphrase: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = createByteSource(sealed)
  try {
    const fileKey = await readHead(source, passphrase)
    const nonce = await source.take(NONCE_BYTES)
    if (nonce.length < NONCE_BYTES) throw new Damaged('it ends after its head')
    const key = derive(fileKey, nonce, 'payload')
    let chunk = await source.take(CHUNK_BYTES + TAG_BYTES)
    for (let counter = 0; ; counter++) {
      const next = await source.take(CHUNK_BYTES + TAG_BYTES)
      const isLast = next.length === 0
      if (isLast && counter > 0 && chunk.length === TAG_BYTES) {
        throw new Damaged('its last chunk is empty')
      }
      yield openChunk(key, counter, chunk, isLast)
      if (isLast) return
      chunk = next
    }
  } finally {
    await source.close()
  }
}
