/**
 * Keys given as credentials of systemd (systemd.exec(5)): the file `btlinkd.acme.eab_hmac_key` in
 * $CREDENTIALS_DIRECTORY is `acme.eab_hmac_key`. For secrets, which then are in no configuration file.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type EnvironmentValue, valueAt } from './environment.ts'
import type { Schema } from './validate.ts'

const NAME = /^btlinkd((?:\.[a-z0-9_]+)+)$/
/** systemd passes 1 MB at most for all of a unit. */
const MAX_CREDENTIALS = 100

/** @throws what reading a credential that is there throws */
export function readCredentials(schema: Schema, folder: string | undefined): EnvironmentValue[] {
  if (folder === undefined || !existsSync(folder)) return []
  return readdirSync(folder)
    .slice(0, MAX_CREDENTIALS)
    .flatMap((name) => {
      const path = NAME.exec(name)?.[1]?.slice(1).split('.')
      if (path === undefined) return []
      const text = readFileSync(join(folder, name), 'utf8').replace(/\r?\n$/, '')
      return [{ variable: `credential ${name}`, path, value: valueAt(schema, path, text) }]
    })
}
