/** Two boxes on loopback that share a small DHT, and what one of them published. */
import { join } from 'node:path'
import { createTestDaemon, type DaemonOptions, type TestDaemon, writeSite } from './daemon.ts'
import { libtorrentNode, libtorrentSeed, makeTorrent } from './libtorrent.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { until } from './until.ts'

const BASE36 = '0123456789abcdefghijklmnopqrstuvwxyz'

/** An independent base36 of a key, so that a mistake in ours shows. */
export function base36(hex: string): string {
  let value = BigInt(`0x${hex}`)
  let text = ''
  for (; value > 0n; value /= 36n) text = `${BASE36[Number(value % 36n)]}${text}`
  const zeros = /^(00)*/.exec(hex)?.[0].length ?? 0
  return `${'0'.repeat(zeros / 2)}${text}`
}

export interface Published {
  infoHash: string
  publicKey: string
  seq: number
  changed: boolean
  /** `<base36>-pk.btlink` */
  host: string
}

/** Publishes a folder through the CLI. */
export async function publish(
  box: TestDaemon,
  folder: string,
  key: string,
  ...more: string[]
): Promise<Published> {
  const said = await box.json('publish', folder, '--key', key, ...more)
  const publicKey = String(said['publicKey'])
  return {
    infoHash: String(said['infoHash']),
    publicKey,
    seq: Number(said['seq']),
    changed: said['changed'] === true,
    host: `${base36(publicKey)}-pk.btlink`,
  }
}

/** Two nodes of libtorrent, for boxes to bootstrap from: `host:port` of each. */
export async function smallDht(t: Cleanup, netns?: string): Promise<string[]> {
  const first = await libtorrentNode(t, { netns, host: '127.0.0.11' })
  const nodes = [`127.0.0.11:${first.port}`]
  const second = await libtorrentNode(t, { netns, host: '127.0.0.12', dhtNodes: nodes })
  return [...nodes, `127.0.0.12:${second.port}`]
}

/** `SITE` as a torrent that libtorrent made, seeds and announces in the DHT. */
export async function libtorrentSite(
  t: Cleanup,
  bootstrap: string[],
  netns?: string,
): Promise<{ infoHash: string; torrent: string; host: string }> {
  const folder = await tempFolder(t, 'foreign')
  await writeSite(join(folder, 'site'), SITE)
  const torrent = join(folder, 'site.torrent')
  const { infohash } = await makeTorrent(join(folder, 'site'), torrent)
  const options = { netns, host: '127.0.0.14', dht: true, dhtNodes: bootstrap }
  const seed = await libtorrentSeed(t, torrent, folder, options)
  await seed.event<{ dht: number }>('progress', (event) => event.dht > 0)
  seed.command('announce')
  return { infoHash: infohash, torrent, host: `${infohash}-ih.btlink` }
}

/** Box `a` and box `b` that know nothing of each other but the DHT. */
export async function neighbours(
  t: Cleanup,
  options: DaemonOptions = {},
): Promise<{ a: TestDaemon; b: TestDaemon; bootstrap: string[] }> {
  const bootstrap = await smallDht(t)
  const [a, b] = await Promise.all([
    createTestDaemon(t, { ...options, bootstrap }),
    createTestDaemon(t, { ...options, bootstrap }),
  ])
  return { a, b, bootstrap }
}

export const SITE = {
  'index.html':
    '<!doctype html><title>First light</title><link rel=stylesheet href=style.css><p id=p>hello</p>',
  'style.css': '#p { color: rgb(1, 2, 3) }',
  'sub/index.html': '<!doctype html><title>Below</title>',
  'sub/ü b.txt': 'umlaut and space',
  'big.bin': Buffer.from(Array.from({ length: 700_000 }, (_, i) => (i * 31 + (i >> 8)) & 255)),
}

/** A published site of two pages, a style and a larger file; resolves once `b` can open it. */
export async function publishedSite(
  t: Cleanup,
  a: TestDaemon,
  b: TestDaemon,
): Promise<Published & { folder: string }> {
  const folder = join(await tempFolder(t, 'site'), 'site')
  await writeSite(folder, SITE)
  const site = await publish(a, folder, 'home')
  await until('the site to be seen by the other box', async () => {
    const answer = await b.get(site.host)
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text()}`)
    return true
  })
  return { ...site, folder }
}
