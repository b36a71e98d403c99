/** Where the store keeps what: shared with the role that verifies pieces into the same folders. */
import { join, resolve } from 'node:path'
import type { StoreLayout } from '../../base/layout.ts'
import type { StoreConfig } from './config.ts'

export interface StorePaths extends StoreLayout {
  database: string
  keys: string
}

/** Absolute paths; a relative one in the configuration counts from the working directory. */
export function storePaths(
  config: Pick<StoreConfig, 'metadata_db' | 'blob_storage' | 'chunk_storage' | 'stateDir'>,
): StorePaths {
  const state = resolve(config.stateDir)
  const place = (configured: string, ...fallback: string[]) =>
    configured === '' ? join(state, ...fallback) : resolve(configured)
  return {
    database: place(config.metadata_db, 'state.db'),
    blobs: place(config.blob_storage, 'store', 'blobs'),
    torrents: place(config.chunk_storage, 'store', 'torrents'),
    keys: join(state, 'keys'),
  }
}
