export type { StorageConfig, StoreConfig } from './config.ts'
export { createKeyStore } from './key-store.ts'
export { type StorePaths, storePaths } from './paths.ts'
export { createStore, type StoreDeps } from './store.ts'
