/** What the doctor has to know before anything runs: also on a configuration that is broken. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createRestingCare, storePaths } from '../../engines/store/index.ts'
import { messageOf } from '../../base/errors.ts'
import { faultOfMode, loadConfig } from '../config/load.ts'
import { type Config, configSchema } from '../config/schema.ts'
import { validate } from '../config/validate.ts'
import { isRunning } from '../run-folder.ts'
import type { Source } from './facts.ts'
import { type OpenDoctor, openDoctor } from './open.ts'

export interface Readable {
  /** What holds; the defaults where the file is broken. */
  config: Config
  source: Source
}

/** Where the state is, read from a file that may not even be YAML. */
async function statedFolder(file: string | undefined): Promise<string | undefined> {
  const text = file === undefined ? '' : await readFile(file, 'utf8').catch(() => '')
  return /^state_dir:\s*["']?([^"'#\n]+?)["']?\s*(?:#.*)?$/m.exec(text)?.[1]
}

async function isValidConfig(file: string): Promise<boolean> {
  const loaded = await loadConfig({ file, env: {} }).catch(() => undefined)
  return loaded?.config !== undefined && faultOfMode(loaded.config) === undefined
}

export async function readableConfig(options: {
  file: string | undefined
  stateDir: string | undefined
}): Promise<Readable> {
  const env = process.env
  try {
    const { file, config, mistakes } = await loadConfig(options)
    if (config) {
      const fault = faultOfMode(config)
      return {
        config,
        source: { file, mistakes: fault === undefined ? [] : [fault], isValidConfig },
      }
    }
    return await fallback(file, mistakes)
  } catch (error) {
    return fallback(options.file ?? env['BTLINKD_CONFIG'], messageOf(error).split('\n'))
  }

  async function fallback(
    file: string | undefined,
    mistakes: readonly string[],
  ): Promise<Readable> {
    const { value } = validate(configSchema, {})
    const config = value as Config
    const stated =
      options.stateDir ?? env['BTLINKD_STATE_DIR'] ?? (await statedFolder(file)) ?? config.state_dir
    return {
      config: { ...config, state_dir: resolve(stated) },
      source: { file, mistakes, isValidConfig },
    }
  }
}

/** The doctor beside a daemon, or where none runs. */
export async function doctorAtRest({ config, source }: Readable): Promise<OpenDoctor> {
  const { database } = storePaths({ ...config.storage, stateDir: config.state_dir })
  const isHeld = await isRunning(config.state_dir)
  return openDoctor({ config, source, database: isHeld ? undefined : createRestingCare(database) })
}
