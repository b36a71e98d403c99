/** Whether a daemon can run on a configuration: what the schema says of it, and what only the rooms can judge. */
import { messageOf } from '../../base/errors.ts'
import { faultOfMode, loadConfig, type LoadedConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { rolesOf } from '../serve-args.ts'
import { composeRole } from './compose-role.ts'

/** Each role is put together, and none started. */
async function refusals(config: Config): Promise<string[]> {
  const fault = faultOfMode(config)
  if (fault !== undefined) return [fault]
  const said = await Promise.all(
    rolesOf(config).map((role) => composeRole(role, config).then(() => undefined, messageOf)),
  )
  return [...new Set(said.filter((one) => one !== undefined))]
}

/**
 * @returns with every mistake, a line each
 * @throws UnreadableConfig where the named file cannot be read
 */
export async function checkConfig(file: string | undefined): Promise<LoadedConfig> {
  const loaded = await loadConfig({ file })
  return loaded.config ? { ...loaded, mistakes: await refusals(loaded.config) } : loaded
}
