/** The doctor, put together for one state folder: in the daemon and beside it. */
import { systemClock } from '../../base/ports/clock.ts'
import {
  createDoctor,
  createMachine,
  type DatabaseCare,
  type Doctor,
  type Ports,
  remember,
} from '../../services/doctor/index.ts'
import type { Config } from '../config/schema.ts'
import { createBox } from './box.ts'
import { factsOf, type Source } from './facts.ts'

export interface OpenDoctor extends Doctor {
  /** Keeps what a later run compares with; resolves to how many files were written. */
  remember(): Promise<number>
}

export interface OpenOptions {
  config: Config
  source: Source
  /** Undefined where somebody else has it open. */
  database: DatabaseCare | undefined
  /** For tests: where `/proc`, `/sys`, `/etc` and `/run` are, and programs that stand in. */
  env?: NodeJS.ProcessEnv
}

export function openDoctor({
  config,
  source,
  database,
  env = process.env,
}: OpenOptions): OpenDoctor {
  const facts = factsOf(config, source)
  const ports = async (): Promise<Ports> => ({
    machine: createMachine({
      root: env['BTL_DOCTOR_ROOT'] ?? '',
      path: env['BTL_DOCTOR_PATH'] ?? '',
    }),
    box: createBox(config.state_dir, facts.roles, database),
    facts,
    clock: systemClock,
    config: config.doctor,
  })
  return {
    ...createDoctor(ports, config.doctor),
    remember: async () => remember(await ports()),
  }
}
