/** Every real client by name, with the program it needs. */
import { ARIA2, startAria2 } from './aria2.ts'
import type { StartClient } from './client.ts'
import { DELUGE, startDeluge } from './deluge.ts'
import { QBITTORRENT, startQbittorrent } from './qbittorrent.ts'
import { RTORRENT, startRtorrent } from './rtorrent.ts'
import { startTransmission, TRANSMISSION } from './transmission.ts'
import { startWebtorrent } from './webtorrent.ts'

export interface RealClient {
  name: string
  program: string
  start: StartClient
  /** It leaves its trackers without a word. */
  silent?: true
}

export const REAL_CLIENTS: RealClient[] = [
  // The slowest first: it meets peers every ten seconds.
  { name: 'Transmission', program: TRANSMISSION, start: startTransmission },
  { name: 'qBittorrent', program: QBITTORRENT, start: startQbittorrent },
  { name: 'Deluge', program: DELUGE, start: startDeluge },
  { name: 'rTorrent', program: RTORRENT, start: startRtorrent },
  { name: 'aria2', program: ARIA2, start: startAria2, silent: true },
  { name: 'WebTorrent', program: process.execPath, start: startWebtorrent },
]
