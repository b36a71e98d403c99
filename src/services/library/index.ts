export { type LibraryConfig, libraryConfigSchema } from './config.ts'
export { createLibrary, type LibraryDeps } from './library.ts'
