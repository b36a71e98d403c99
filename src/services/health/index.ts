export type { HealthConfig } from './config.ts'
export { createDiskPart } from './disk.ts'
export { createHealth, type HealthPart, type HealthReport, type HealthService } from './health.ts'
