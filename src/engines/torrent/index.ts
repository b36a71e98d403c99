/** The door of the torrent engine. */
export type { SwarmConfig } from './config.ts'
export { createTorrentEngine, type TorrentEngineDeps } from './engine.ts'
