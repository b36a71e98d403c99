/** The door of proxy auto-configuration: how browsers learn to ask us for names, and for nothing else. */
export type { PacConfig } from './config.ts'
export { createPac, type Pac, type PacDeps, type PacOptions } from './pac.ts'
export { pacText, type PacRules } from './pac-text.ts'
