/** The watchers of own sites: at most one a name. */
import { nameKey } from '../../base/bep44.ts'
import type { PublicKey } from '../../base/hashes.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Site } from '../../base/ports/store.ts'
import type { PublishConfig } from './config.ts'
import { createFolderWatcher, type FolderWatcher } from './folder-watcher.ts'

export interface WatchedSites {
  /** @param fingerprint of the folder as it was published; without it the folder is published anew */
  watch(site: Site, fingerprint?: string): Promise<void>
  unwatch(key: PublicKey, salt: Uint8Array): Promise<void>
  stop(): Promise<void>
}

export function createWatchedSites(
  config: PublishConfig,
  republish: (site: Site, signal: AbortSignal) => Promise<void>,
  log: Log,
): WatchedSites {
  const watchers = new Map<string, { folder: string; watcher: FolderWatcher }>()
  let stopped = false

  async function unwatch(key: PublicKey, salt: Uint8Array): Promise<void> {
    const name = nameKey(key, salt)
    const entry = watchers.get(name)
    watchers.delete(name)
    await entry?.watcher.stop()
  }

  return {
    unwatch,
    async watch(site, fingerprint) {
      const name = nameKey(site.publicKey, site.salt)
      const { folder } = site
      if (stopped || folder === undefined || watchers.get(name)?.folder === folder) return
      await unwatch(site.publicKey, site.salt)
      const change = (signal: AbortSignal) => republish(site, signal)
      const watcher = createFolderWatcher(folder, config, change, log)
      watchers.set(name, { folder, watcher })
      watcher.start(fingerprint)
    },
    async stop() {
      stopped = true
      await Promise.all([...watchers.values()].map(({ watcher }) => watcher.stop()))
      watchers.clear()
    },
  }
}
