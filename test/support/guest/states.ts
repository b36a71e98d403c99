/**
 * Rebuilds a disk from its log of writes (argv[2]: the disk as it was before, argv[3]: the log) and
 * looks at it as a power cut would have left it at each of the places argv[4] names: the file system
 * is mounted, the rooms that keep something open what is on it, and what was acknowledged by then is
 * looked for. Prints `good N` or `BAD N why` for each, and `states N` at the end.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type * as StateFileRoom from '../../../src/engines/dht/state-file.ts'
import type * as PkiRoom from '../../../src/engines/pki/index.ts'
import type * as StoreRoom from '../../../src/engines/store/index.ts'
import { apply, entriesOf } from '../log-writes.ts'
import { pageOf, tell } from './box.ts'
import { inOrder, noPromises, pageFile, type Promises, takeIn } from './promises.ts'

const DIST = join(import.meta.dirname, '../dist')
const [, , disk = '', logDevice = '', placesFile = '', sizeText = '0'] = process.argv
const places = new Set(JSON.parse(readFileSync(placesFile, 'utf8')) as number[])
const size = Number(sizeText)
const STATE = '/run/state.img'
const silent = { debug() {}, info() {}, warn() {}, error() {} }
const config = JSON.parse(readFileSync(join(import.meta.dirname, '../config.json'), 'utf8')) as {
  storage: StoreRoom.StorageConfig
  pki: Omit<PkiRoom.PkiOptions, 'tld' | 'reserved_hosts'>
  state_dir: string
}
const state = config.state_dir
const [{ createStore }, { createPki }, { createStateFile }] = (await Promise.all([
  import(join(DIST, 'engines/store/index.js')),
  import(join(DIST, 'engines/pki/index.js')),
  import(join(DIST, 'engines/dht/state-file.js')),
])) as [typeof StoreRoom, typeof PkiRoom, typeof StateFileRoom]

const sh = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

async function lookAtStore(promises: Promises): Promise<string[]> {
  const lost: string[] = []
  const store = createStore({ log: silent }, { ...config.storage, stateDir: state })
  await store.start(new AbortController().signal)
  try {
    const pins = new Set(store.sites.pinnedTorrents().map((pin) => pin.infoHash as string))
    for (const pin of promises.pins) if (!pins.has(pin)) lost.push(`pin ${pin}`)
    for (const [name, publicKey] of promises.keys) {
      if ((await store.keys.publicKey(name)) !== publicKey) lost.push(`key ${name}`)
    }
    for (const [key, n, seq, infoHash, publicKey] of promises.pages) {
      const known = store.sites.versions(publicKey as never, new Uint8Array(0))
      const version = known.find((one) => one.seq === seq)
      if (version?.infoHash !== infoHash) lost.push(`page ${key} ${n} seq ${seq}`)
      const held = readFileSync(pageFile(state, infoHash))
      const sum = createHash('sha256').update(held).digest('hex')
      if (sum !== createHash('sha256').update(pageOf(key, n)).digest('hex')) {
        lost.push(`content of ${infoHash}`)
      }
    }
  } finally {
    await store.stop()
  }
  return lost
}

async function lookAtRoots(promises: Promises): Promise<string[]> {
  const lost: string[] = []
  const pki = createPki(
    { log: silent, clock: { now: () => Date.now() }, folder: join(state, 'pki') },
    { ...config.pki, tld: 'btlink', reserved_hosts: [] },
  )
  await pki.start(new AbortController().signal)
  try {
    const root = await pki.root('names')
    if (promises.root !== undefined && root.sha256 !== promises.root) lost.push('root')
    const { stated } = await pki.linkDomains()
    const found = stated.toSorted(inOrder).join(',')
    if (found !== promises.links && found !== promises.linksAsked) {
      lost.push(`links ${promises.links}, found ${found}`)
    }
  } finally {
    await pki.stop()
  }
  return lost
}

/** Mounting mends what the journal has, as at any boot; after it there is nothing left to mend. */
async function look(promises: Promises): Promise<string[]> {
  const lost: string[] = []
  sh('/usr/bin/mount', '-o', 'loop,noatime', STATE, '/mnt')
  try {
    for (const part of [lookAtStore, lookAtRoots]) {
      try {
        lost.push(...(await part(promises)))
      } catch (error) {
        lost.push(String(error))
      }
    }
    await createStateFile(join(state, 'dht')).load()
  } finally {
    sh('/usr/bin/umount', '/mnt')
  }
  try {
    sh('/usr/sbin/e2fsck', '-fn', STATE)
  } catch (error) {
    lost.push(`e2fsck: ${String(error)}`)
  }
  return lost
}

const image = Buffer.alloc(size)
const base = openSync(disk, 'r')
readSync(base, image, 0, size, 0)
closeSync(base)
const log = openSync(logDevice, 'r')
const read = (at: number, length: number): Uint8Array => {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(log, bytes, 0, length, at))
}
const promises = noPromises()
let index = 0
let looked = 0
for (const entry of entriesOf(read, size)) {
  apply(image, entry, read)
  if (entry.mark !== undefined) takeIn(promises, [entry.mark.replaceAll('_', ' ')])
  if (places.has(index)) {
    const copy = openSync(STATE, 'w')
    writeSync(copy, image)
    closeSync(copy)
    let lost: string[]
    try {
      lost = await look(promises)
    } catch (error) {
      lost = [String(error)]
    }
    looked++
    if (lost.length === 0) tell('good', index)
    else tell('BAD', index, lost.join('; ').replaceAll('\n', ' ').slice(0, 1000))
  }
  index++
}
tell('states', looked)
process.exit(0)
