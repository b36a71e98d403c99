/** Real stores for tests, in folders that go with them. */
import { silentLog } from '../../../src/base/ports/log.ts'
import type { Store } from '../../../src/base/ports/store.ts'
import { createStore, type StorageConfig } from '../../../src/engines/store/index.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

export const storageConfig: StorageConfig = {
  blob_threshold: 104_857_600,
  chunk_size: 2_097_152,
  metadata_db: '',
  blob_storage: '',
  chunk_storage: '',
  snapshot_interval: 3_600_000,
  min_free: 0,
  history_limit: 1000,
  site_limit: 1000,
}

export const makeStore = (stateDir: string, config: Partial<StorageConfig> = {}): Store =>
  createStore({ log: silentLog }, { ...storageConfig, ...config, stateDir })

export async function openStore(
  t: Cleanup,
  options: { stateDir?: string; config?: Partial<StorageConfig> } = {},
): Promise<Store> {
  const store = makeStore(options.stateDir ?? (await tempFolder(t)), options.config)
  await store.start(new AbortController().signal)
  finallyDo(t, () => store.stop())
  return store
}
