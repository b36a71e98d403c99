export {
  type StorageConfig,
  type StoreConfig,
  type StorePaths,
  storageConfigSchema,
  storePaths,
} from './config.ts'
export { createStore, type StoreDeps } from './store.ts'
