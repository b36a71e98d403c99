/** Releases of tests: tiny files in the place of half a gigabyte, packed and signed as the real ones. */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { developmentKeys, type SigningKeys } from '../../image/keys.ts'
import { makeReleaseFolder, type ReleaseOptions } from '../../image/release-folder.ts'
import { type MinisignKey, parsePublicKey } from '../../src/services/update/minisign.ts'
import { type Cleanup, tempFolder } from './temp.ts'

/** Names of the three files of a version, as image/ builds them: the UUIDs are those of the partitions. */
export const slotNames = (version: string) => {
  const digits = version.replaceAll(/\D/g, '').padEnd(31, '0').slice(0, 31)
  return {
    root: `btlinkd_${version}.root.${digits}1.raw`,
    verity: `btlinkd_${version}.verity.${digits}2.raw`,
    kernel: `btlinkd_${version}.efi`,
  }
}

/** A folder as `npm run image` leaves it; `seed` bytes that two versions share stay the same. */
export async function builtImage(
  folder: string,
  version: string,
  files: { root: Uint8Array; verity?: Uint8Array; kernel?: Uint8Array },
): Promise<string> {
  const names = slotNames(version)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, names.root), files.root)
  await writeFile(join(folder, names.verity), files.verity ?? randomBytes(8192))
  await writeFile(join(folder, names.kernel), files.kernel ?? `kernel of ${version}`)
  return folder
}

export interface Vendor {
  keys: SigningKeys
  key: MinisignKey
  /** Makes and signs a release of a built image. */
  release(
    from: string,
    to: string,
    change?: Partial<
      Pick<ReleaseOptions, 'architecture' | 'flavour' | 'minimum' | 'earlier' | 'packsOnly'>
    >,
  ): Promise<string>
}

const architecture = process.arch === 'x64' ? 'amd64' : process.arch

/** Whoever signs releases. */
export async function vendor(t: Cleanup): Promise<Vendor> {
  const keys = await developmentKeys(join(await tempFolder(t, 'keys'), 'keys'))
  const key = parsePublicKey(await readFile(keys.publicKey, 'utf8'))
  if (!key) throw new Error('minisign made no key')
  return {
    keys,
    key,
    async release(from, to, change = {}) {
      await makeReleaseFolder({
        from,
        to,
        earlier: [],
        secretKey: keys.secretKey,
        architecture,
        flavour: 'pc',
        say: () => undefined,
        ...change,
      })
      return to
    },
  }
}
