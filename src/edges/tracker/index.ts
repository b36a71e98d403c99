/** A BitTorrent tracker over HTTP, UDP and WebSocket, in which the box itself is a peer. */
export type { TrackerConfig } from './config.ts'
export type { Tracker, TrackerBox, TrackerDeps } from './deps.ts'
export { createTracker } from './tracker.ts'
