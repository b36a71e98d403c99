/** What people put on the card before the box's first start, and later. */
export { createFirstBoot } from './first-boot.ts'
export { PLACES } from './places.ts'
export { readReport, type Told } from './report.ts'
