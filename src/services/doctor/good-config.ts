/** What the doctor remembers for the day something breaks: the last valid configuration, the first address. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { addressFile } from './checks-network.ts'
import { writeWhole } from './durable.ts'
import { houseAddress } from './network-facts.ts'
import type { Ports } from './ports.ts'

const MAX_CONFIG_CHARACTERS = 262_144

export const goodConfigFile = (stateDir: string): string => join(stateDir, 'config.good.yaml')

const textOf = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch(() => undefined)

export const backupFile = (stateDir: string): string => join(stateDir, 'backup-made')

/** A backup was made and is whole. */
export const noteBackup = (stateDir: string, now: number): Promise<void> =>
  writeWhole(backupFile(stateDir), `${new Date(now).toISOString()}\n`, 0o640)

/** Writes only what changed: cards wear. Resolves to how many files that were. */
export async function remember({ facts, machine }: Ports): Promise<number> {
  let written = 0
  const { configFile, stateDir, mistakes } = facts
  if (configFile !== undefined && mistakes.length === 0) {
    const text = await textOf(configFile)
    const known = await textOf(goodConfigFile(stateDir))
    if (text !== undefined && text !== known && text.length <= MAX_CONFIG_CHARACTERS) {
      await writeWhole(goodConfigFile(stateDir), text, 0o600)
      written++
    }
  }
  if ((await textOf(addressFile(stateDir))) === undefined) {
    const own = await houseAddress(machine)
    if (own && !own.address.startsWith('169.254.')) {
      await writeWhole(addressFile(stateDir), `${own.address}\n`, 0o640)
      written++
    }
  }
  return written
}
