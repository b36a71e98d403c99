/** The table of checks; the order is that of a look around: the disk first, strangers last. */
import type { Check } from './check.ts'
import { clockChecks } from './checks-clock.ts'
import { diskChecks } from './checks-disk.ts'
import { dnsChecks } from './checks-dns.ts'
import { machineChecks } from './checks-machine.ts'
import { networkChecks } from './checks-network.ts'
import { roleChecks } from './checks-roles.ts'
import { stateChecks } from './checks-state.ts'
import { swarmChecks } from './checks-swarm.ts'
import { trustChecks } from './checks-trust.ts'

export const checks: readonly Check[] = [
  ...diskChecks,
  ...stateChecks,
  ...roleChecks,
  ...networkChecks,
  ...dnsChecks,
  ...clockChecks,
  ...trustChecks,
  ...machineChecks,
  ...swarmChecks,
]
