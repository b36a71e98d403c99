/** The site or torrent that a name in a request means. */
import { EMPTY } from '../../base/bytes.ts'
import { parseName, type TypedName } from '../../base/names/index.ts'
import type { KeyName } from '../../base/names/index.ts'
import type { KeyStore } from '../../base/ports/store.ts'
import { BadInput } from './errors.ts'

/**
 * A host, URL, magnet link, infohash, or the name of one of the box's own keys.
 * @throws BadInput, or what `parseName` throws (400)
 */
export async function readName(
  text: string,
  keys: Pick<KeyStore, 'list'>,
  tld: string,
): Promise<TypedName> {
  const own = (await keys.list()).find(({ name }) => name === text)
  if (own) return { kind: 'key', publicKey: own.publicKey, salt: EMPTY }
  return parseName(text, tld).name
}

/** @throws BadInput where the name is none of a site */
export async function readSite(
  text: string,
  keys: Pick<KeyStore, 'list'>,
  tld: string,
): Promise<KeyName> {
  const name = await readName(text, keys, tld)
  if (name.kind !== 'key') {
    throw new BadInput(
      `"${text.slice(0, 100)}" is no site: <base36 key>-pk.${tld} or a key's name is`,
    )
  }
  return name
}
