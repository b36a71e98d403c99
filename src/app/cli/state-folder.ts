import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Flags, valueOf } from './verb.ts'

const DEFAULT_FILE = 'btlinkd.yaml'
const DEFAULT_FOLDER = './data'

/** `--state`, else what environment or configuration say, else `./data`. */
export async function stateFolder(flags: Flags): Promise<string> {
  const stated = valueOf(flags, 'state') ?? process.env['BTLINKD_STATE_DIR']
  if (stated !== undefined) return resolve(stated)
  const file = valueOf(flags, 'config') ?? process.env['BTLINKD_CONFIG']
  // Schema and YAML parser are only loaded where there is something to read.
  if (file === undefined && !existsSync(DEFAULT_FILE)) return resolve(DEFAULT_FOLDER)
  const { requireConfig } = await import('../config/load.ts')
  return (await requireConfig({ file })).state_dir
}
