/** Whether this version of the image may stay, or the one before has to come back. */
export { readRelease, readSlots } from './slots.ts'
export { createSlotHealth } from './slot-health.ts'
export { readUnits, UNIT_PROPERTIES } from './units.ts'
export { configFaults, diskFault, type Fault, type GoodBoot } from './verdict.ts'
