/** libtorrent as a peer of a test: seeds, leeches and asks the DHT; see lt-peer.py for the words. */
import { fileURLToPath } from 'node:url'
import { output, type Running, start } from './processes.ts'
import type { Cleanup } from './temp.ts'

const SCRIPT = fileURLToPath(new URL('lt-peer.py', import.meta.url))
/** Debian's: the binding belongs to the system's Python. */
export const PYTHON = '/usr/bin/python3'

export interface TorrentFacts {
  infohash: string
  name: string
  pieces: number
  piece_length: number
  total: number
}

export interface PeerOptions {
  netns?: string | undefined
  host?: string
  port?: number
  /** `host:port`, connected at once. */
  peers?: string[]
  dht?: boolean
  dhtNodes?: string[]
  upLimit?: number
  downLimit?: number
  /** Any other switch of lt-peer.py. */
  more?: string[]
}

export interface LibtorrentPeer {
  readonly port: number
  readonly running: Running
  /** The next event of that name (and content). */
  event<T extends object>(
    name: string,
    where?: (event: T) => boolean,
    timeoutMs?: number,
  ): Promise<T>
  command(cmd: string, fields?: object): void
  stop(): Promise<void>
}

/** Writes a v1 .torrent of a file or folder, as libtorrent makes it. */
export async function makeTorrent(
  source: string,
  torrentFile: string,
  options: { pieceLength?: number; name?: string; webSeeds?: string[] } = {},
): Promise<TorrentFacts> {
  const args = [SCRIPT, 'make', '--dir', source, '--out', torrentFile]
  if (options.pieceLength !== undefined) args.push('--piece-length', String(options.pieceLength))
  if (options.name !== undefined) args.push('--name', options.name)
  for (const url of options.webSeeds ?? []) args.push('--web-seed', url)
  return JSON.parse(await output(PYTHON, args)) as TorrentFacts
}

function switches(options: PeerOptions): string[] {
  const args = ['--host', options.host ?? '127.0.0.1', '--port', String(options.port ?? 0)]
  for (const peer of options.peers ?? []) args.push('--peer', peer)
  if (options.dht === true) args.push('--dht')
  for (const node of options.dhtNodes ?? []) args.push('--dht-node', node)
  if (options.upLimit !== undefined) args.push('--up-limit', String(options.upLimit))
  if (options.downLimit !== undefined) args.push('--down-limit', String(options.downLimit))
  return [...args, ...(options.more ?? [])]
}

async function peer(t: Cleanup, args: string[], options: PeerOptions): Promise<LibtorrentPeer> {
  const running = start(t, PYTHON, [SCRIPT, ...args, ...switches(options)], {
    netns: options.netns,
  })
  const event = async <T extends object>(
    name: string,
    where: (event: T) => boolean = () => true,
    timeoutMs = 20_000,
  ): Promise<T> => {
    const line = await running.line((text) => {
      if (!text.startsWith('{')) return false
      const said = JSON.parse(text) as T & { event: string }
      return said.event === name && where(said)
    }, timeoutMs)
    return JSON.parse(line) as T
  }
  const { port } = await event<{ port: number }>('listening')
  return {
    port,
    running,
    event,
    command: (cmd, fields = {}) => running.send(JSON.stringify({ cmd, ...fields })),
    stop: () => running.stop(),
  }
}

/** Seeds `torrentFile` whose data lies under `saveFolder`. */
export async function libtorrentSeed(
  t: Cleanup,
  torrentFile: string,
  saveFolder: string,
  options: PeerOptions = {},
): Promise<LibtorrentPeer> {
  return peer(t, ['seed', '--torrent', torrentFile, '--save', saveFolder], options)
}

/** Downloads a .torrent file or magnet link into `saveFolder`; waits for nothing. */
export async function libtorrentLeech(
  t: Cleanup,
  torrentOrMagnet: string,
  saveFolder: string,
  options: PeerOptions = {},
): Promise<LibtorrentPeer> {
  const what = torrentOrMagnet.startsWith('magnet:') ? '--magnet' : '--torrent'
  return peer(t, ['leech', what, torrentOrMagnet, '--save', saveFolder], options)
}

/** A DHT node that holds no torrent. */
export async function libtorrentNode(
  t: Cleanup,
  options: PeerOptions = {},
): Promise<LibtorrentPeer> {
  return peer(t, ['node'], { ...options, dht: true })
}
