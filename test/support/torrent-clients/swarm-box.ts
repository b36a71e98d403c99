/** A tracker in a namespace, and what its scrape says. */
import { decode } from '../../../src/base/bencode.ts'
import { curl } from '../curl.ts'
import { createTestDaemon, type DaemonOptions, type TestDaemon } from '../daemon.ts'
import type { Box } from '../household.ts'
import type { Cleanup } from '../temp.ts'

export interface Counts {
  complete: number
  incomplete: number
  downloaded: number
}

export interface TrackerBox {
  daemon: TestDaemon
  http: string
  udp: string
  ws: string
  /** Zeros where the tracker does not know the torrent. */
  scrape(infoHash: string): Promise<Counts>
}

/** An infohash as announces and scrapes escape it. */
export const escaped = (infoHash: string) => infoHash.replaceAll(/../g, '%$&')

/** A whole daemon whose tracker is there for every torrent, with nothing in the box itself. */
export async function trackerBox(
  t: Cleanup,
  box: Box,
  config: DaemonOptions['config'] = {},
): Promise<TrackerBox> {
  const daemon = await createTestDaemon(t, {
    netns: box.netns,
    address: box.address,
    config: { ...config, tracker: { access: 'open', ...config['tracker'] } },
  })
  const host = `${box.address}:${daemon.port('gateway')}`
  return {
    daemon,
    http: `http://${host}/announce`,
    ws: `ws://${host}/announce`,
    udp: `udp://${box.address}:${daemon.port('tracker')}/announce`,
    async scrape(infoHash) {
      const url = `http://${host}/scrape?info_hash=${escaped(infoHash)}`
      const answer = decode((await curl(url, { netns: box.netns })).body)
      const files = answer instanceof Map ? answer.get('files') : undefined
      const found = files instanceof Map ? [...files.values()][0] : undefined
      const count = (key: string) => Number(found instanceof Map ? (found.get(key) ?? 0) : 0)
      return {
        complete: count('complete'),
        incomplete: count('incomplete'),
        downloaded: count('downloaded'),
      }
    },
  }
}
