/** What every torrent client of the tests has in common, whatever its own interface is. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Encodable, encode } from '../../../src/base/bencode.ts'
import { makeTorrentOf, type MadeTorrent, pattern } from '../torrents.ts'
import { freePort as portOfMachine } from '../free-port.ts'
import type { Running } from '../processes.ts'
import type { Cleanup } from '../temp.ts'

export interface ClientOptions {
  /** .torrent files or magnet links. */
  torrents: string[]
  /** Where their data lies or comes. */
  folder: string
  netns?: string | undefined
  /** Where it listens for peers; its own address in `netns`. */
  address?: string | undefined
}

export interface TorrentClient {
  /** Where it listens for peers; 0 where nobody can know. */
  readonly port: number
  /** Resolves when by its own word every torrent is complete. */
  done(timeoutMs?: number): Promise<void>
  /** Ends it politely, so that it says goodbye to trackers. */
  stop(): Promise<void>
}

/** Starts a client that knows no peers but those of its torrents' trackers: no DHT, no LSD, no PEX. */
export type StartClient = (t: Cleanup, options: ClientOptions) => Promise<TorrentClient>

/** Lets a client that was asked to end say so to its trackers, then ends it. */
export async function ended(client: Running): Promise<void> {
  await Promise.race([client.exited, sleep(4000, undefined, { ref: false })])
  await client.stop()
}

let portsInside = 16_881

/** A free port; in a namespace of the test's own any is. */
export const freePort = async (address = '127.0.0.1', netns?: string): Promise<number> =>
  netns === undefined ? portOfMachine(address) : portsInside++

/** The .torrent file of `made` with one tier for each tracker. */
export function torrentFileOf(
  made: MadeTorrent,
  trackers: string[],
  webSeeds: string[] = [],
): Uint8Array {
  const head: Record<string, Encodable> = { 'announce-list': trackers.map((url) => [url]) }
  if (trackers[0] !== undefined) head['announce'] = trackers[0]
  return Buffer.concat([
    Buffer.from(encode(trackers.length > 0 ? head : {})).subarray(0, -1),
    Buffer.from('4:info'),
    made.info,
    ...(webSeeds.length > 0 ? [Buffer.from('8:url-list'), encode(webSeeds)] : []),
    Buffer.from('e'),
  ])
}

export interface Sample extends MadeTorrent {
  /** The .torrent file on disk. */
  file: string
  name: string
}

/** A torrent of two small files named `name`, its .torrent file in `folder`. */
export async function sample(
  folder: string,
  name: string,
  trackers: string[],
  { length = 300_000, seed = 1 }: { length?: number; seed?: number } = {},
): Promise<Sample> {
  const files = [
    { path: ['index.html'], bytes: Buffer.from(`<title>${name}</title>`) },
    { path: ['data', 'film.bin'], bytes: pattern(length, seed) },
  ]
  const made = makeTorrentOf(files, { name, pieceLength: 16_384 })
  const file = join(folder, `${name}.torrent`)
  await mkdir(folder, { recursive: true })
  await writeFile(file, torrentFileOf(made, trackers))
  return { ...made, file, name }
}

/** Lays the data of `made` down as other programs keep it. */
export async function layDownNamed(folder: string, made: Sample): Promise<void> {
  for (const { path, bytes } of made.files) {
    const file = join(folder, made.name, ...path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, bytes)
  }
}
