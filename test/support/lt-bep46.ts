/** libtorrent as publisher and reader of BEP 46 items; see lt-bep46.cpp. Built once a machine. */
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { output } from './processes.ts'

const SOURCE = fileURLToPath(new URL('lt-bep46.cpp', import.meta.url))
export const COMPILER = '/usr/bin/g++'
/** What a test needs to find before it calls `ltPut` or `ltGet`. */
export const LIBTORRENT_HEADERS = '/usr/include/libtorrent/session.hpp'

let built: Promise<string> | undefined

async function build(): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(SOURCE))
    .digest('hex')
    .slice(0, 16)
  const binary = join(tmpdir(), 'btl-lt-bep46', hash)
  const there = await access(binary).then(
    () => true,
    () => false,
  )
  if (there) return binary
  await mkdir(dirname(binary), { recursive: true })
  const flags = await output('/usr/bin/pkg-config', ['--cflags', '--libs', 'libtorrent-rasterbar'])
  const fresh = `${binary}.${process.pid}`
  const args = ['-std=c++17', '-O0', SOURCE, '-o', fresh, ...flags.trim().split(/\s+/)]
  await output(COMPILER, args, { timeoutMs: 120_000 })
  await rename(fresh, binary)
  return binary
}

const tool = async (): Promise<string> => (built ??= build())

export interface LtOptions {
  /** `host:port` of a node of the network. */
  bootstrap: string
  /** `host:port` to listen on; an address of its own, for libtorrent keeps one node an address. */
  listen: string
  salt?: string
}

/** Puts `{ ih }` under the next seq; `seed` is 64 hex digits. */
export async function ltPut(
  options: LtOptions & { infoHash: string; seed: string },
): Promise<{ key: string; seq: number; stored: number }> {
  const { bootstrap, listen, salt = '', infoHash, seed } = options
  const said = await output(await tool(), ['put', bootstrap, listen, salt, infoHash, seed])
  return JSON.parse(said) as { key: string; seq: number; stored: number }
}

export async function ltGet(
  options: LtOptions & { key: string },
): Promise<{ ih: string; seq: number }> {
  const { bootstrap, listen, salt = '', key } = options
  const said = await output(await tool(), ['get', bootstrap, listen, salt, key])
  return JSON.parse(said) as { ih: string; seq: number }
}
