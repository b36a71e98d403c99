/** The passphrase of a backup, which no argument holds. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readPassphrase } from './secrets.ts'
import type { Flags } from './verb.ts'

/** systemd.exec(5): `ImportCredential=btlinkd.*` */
const CREDENTIAL = 'btlinkd.backup-passphrase'

/** From `--passphrase-file`, else a credential of systemd, else stdin or the terminal. */
export async function backupPassphrase(flags: Flags, twice: boolean): Promise<string> {
  const folder = process.env['CREDENTIALS_DIRECTORY']
  const credential = folder === undefined ? undefined : join(folder, CREDENTIAL)
  const given = flags['passphrase-file'] === undefined && credential !== undefined
  return readPassphrase(
    given && existsSync(credential) ? { ...flags, 'passphrase-file': credential } : flags,
    twice,
  )
}
