export type { LibraryConfig } from './config.ts'
export { createLibrary, type LibraryDeps } from './library.ts'
