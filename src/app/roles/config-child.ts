/** A process that reads the configuration, hands it to its parent, and ends. */
import { codeOf, messageOf } from '../../base/errors.ts'
import { requireConfig } from '../config/load.ts'
import { parseServeArgs } from '../serve-args.ts'
import { settle } from '../settled.ts'

const CONFIGURATION_EXIT = 78

try {
  const { config: file, state: stateDir } = parseServeArgs(process.argv.slice(2))
  let config = await requireConfig({ file, stateDir })
  try {
    if (await settle(config.state_dir)) config = await requireConfig({ file, stateDir })
  } catch (error) {
    // In a sandbox it may not be ours to do; the role that it concerns does not start without.
    process.stderr.write(`btlinkd: ${messageOf(error)}\n`)
  }
  process.send?.(config, undefined, undefined, () => process.disconnect())
} catch (error) {
  process.stderr.write(`btlinkd: ${messageOf(error)}\n`)
  process.exitCode = codeOf(error)?.startsWith('BTL_ERR_CONFIG') ? CONFIGURATION_EXIT : 2
  process.disconnect()
}
