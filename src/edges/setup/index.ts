/** The door of the household's own pages: how to set a device up, and what works on it already. */
export { createSetup, type Setup, type SetupDeps, type SetupOptions } from './setup.ts'
