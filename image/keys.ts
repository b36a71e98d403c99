/**
 * The vendor's key pair of a development build, in minisign's own files, and the name of the site
 * under which its releases are published. A real release is signed with a key kept elsewhere.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface SigningKeys {
  /** Goes into the image as `/usr/lib/btlinkd/release.pub`. */
  publicKey: string
  /** Not encrypted: whoever reads this file signs releases. */
  secretKey: string
}

/**
 * The pair `release.pub` and `release.key` in `folder`, made by `minisign -G -W` where it is
 * missing.
 */
export async function developmentKeys(folder: string): Promise<SigningKeys> {
  const keys = {
    publicKey: resolve(folder, 'release.pub'),
    secretKey: resolve(folder, 'release.key'),
  }
  if (existsSync(keys.publicKey) && existsSync(keys.secretKey)) return keys
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // Both parts at once or none: a cut between them must not leave a key without its other half.
  const made = { publicKey: join(folder, 'new.pub'), secretKey: join(folder, 'new.key') }
  await run('minisign', ['-G', '-f', '-W', '-p', made.publicKey, '-s', made.secretKey])
  await rename(made.secretKey, keys.secretKey)
  await rename(made.publicKey, keys.publicKey)
  return keys
}

/**
 * Signs `file` as `<file>.minisig`, prehashed.
 * @param comment the trusted comment: one line, covered by the signature
 */
export async function sign(file: string, secretKey: string, comment: string): Promise<string> {
  await run('minisign', ['-S', '-s', secretKey, '-m', file, '-t', comment])
  return `${file}.minisig`
}
