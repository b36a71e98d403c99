/** The door of the doctor. */
export type { Check, Fix, State } from './check.ts'
export { type BundlePart, makeBundle } from './bundle.ts'
export { checks } from './checks.ts'
export type { DoctorConfig } from './config.ts'
export {
  createDoctor,
  type Doctor,
  type DoctorReport,
  type FixReport,
  type Result,
  summarize,
} from './doctor.ts'
export { fixes } from './fixes.ts'
export { noteBackup, remember } from './good-config.ts'
export { createMachine } from './machine.ts'
export type { Box, DatabaseCare, Facts, Machine, Ports, WantedPort } from './ports.ts'
export { createScrub } from './scrub.ts'
