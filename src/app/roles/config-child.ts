/** A process that reads the configuration, hands it to its parent, and ends. */
import { codeOf, messageOf } from '../../base/errors.ts'
import { requireConfig } from '../config/load.ts'
import { parseServeArgs } from '../serve-args.ts'

const CONFIGURATION_EXIT = 78

try {
  const { config: file, state: stateDir } = parseServeArgs(process.argv.slice(2))
  const config = await requireConfig({ file, stateDir })
  process.send?.(config, undefined, undefined, () => process.disconnect())
} catch (error) {
  process.stderr.write(`btlinkd: ${messageOf(error)}\n`)
  process.exitCode = codeOf(error)?.startsWith('BTL_ERR_CONFIG') ? CONFIGURATION_EXIT : 2
  process.disconnect()
}
