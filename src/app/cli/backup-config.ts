/** The configuration file in a backup: read when one is made, laid ready when one is restored. */
import { constants } from 'node:fs'
import { copyFile, open, readFile, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf } from '../../base/errors.ts'
import { storePaths } from '../../engines/store/index.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { type Flags, valueOf } from './verb.ts'

export interface BoxConfig {
  /** As it is in force, but for `--state`. */
  config: Config
  /** The file it was read from, absolute. */
  file?: string
  text?: string
}

/** @throws BTL_ERR_CONFIG_…, one line a mistake */
export async function readBoxConfig(flags: Flags): Promise<BoxConfig> {
  const { requireConfig } = await import('../config/load.ts')
  const named = valueOf(flags, 'config')
  const config = await requireConfig({ file: named })
  const { file } = await loadConfig({ file: named })
  if (file === undefined) return { config }
  return { config, file: resolve(file), text: await readFile(file, 'utf8') }
}

const placesOf = (config: Config): string =>
  JSON.stringify([
    resolve(config.state_dir),
    storePaths({ ...config.storage, stateDir: config.state_dir }),
  ])

/** Why the configuration of a backup cannot take the place of the one here. */
async function objection(fresh: string, here: Config): Promise<string | undefined> {
  const { config, mistakes } = await loadConfig({ file: fresh })
  if (!config) return mistakes[0] ?? 'it has mistakes'
  return placesOf(config) === placesOf(here)
    ? undefined
    : 'it names other folders than this box has'
}

/** On the disk before anything takes its place. */
async function putAside(file: string, to: string): Promise<void> {
  await copyFile(file, to, constants.COPYFILE_EXCL)
  const copy = await open(to, 'r')
  try {
    await copy.sync()
  } finally {
    await copy.close()
  }
}

/**
 * Lays it ready beside the file it is to replace, with the owner and mode of that one.
 * @returns why not, where it can only be kept to be read
 */
export async function stageConfig(
  text: string,
  { config, file }: BoxConfig,
  formerFolder: string,
): Promise<{ from: string; to: string } | string> {
  if (file === undefined) return 'no configuration file is in use here'
  const fresh = `${file}.restoring`
  try {
    const { uid, gid, mode } = await stat(file)
    const handle = await open(fresh, 'w', 0o600)
    try {
      await handle.writeFile(text)
      await handle.chown(uid, gid)
      await handle.chmod(mode & 0o777)
      await handle.sync()
    } finally {
      await handle.close()
    }
    const why = await objection(fresh, config)
    if (why === undefined) {
      await putAside(file, join(formerFolder, 'btlinkd.yaml'))
      return { from: fresh, to: file }
    }
    await rm(fresh, { force: true })
    return why
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => {})
    return messageOf(error)
  }
}
