/** What the verb `update` is made of: the key, the slots, and the sources of the configuration. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../base/errors.ts'
import { hostOf, parseName } from '../../base/names/index.ts'
import type { Slots } from '../../base/ports/slots.ts'
import { createSlots, IMAGE_SLOTS, NotAnImage } from '../../engines/slots/index.ts'
import {
  BadKey,
  channelSource,
  compareVersions,
  createUpdater,
  type Machine,
  parsePublicKey,
  type ReleaseSource,
  siteSource,
  Unreachable,
  type UpdateConfig,
  type Updater,
} from '../../services/update/index.ts'
import { requireConfig } from '../config/load.ts'
import { readListeners } from '../roles/listeners.ts'
import { version } from '../version.ts'
import { type VerbInput, valueOf } from './verb.ts'

/** Of the image: the site that its vendor publishes releases under. */
const SITE_FILE = '/usr/lib/btlinkd/release.site'
const MAX_KEY_FILE = 16_384
const CHANNEL_SILENCE_MS = 60_000
// The first byte from a swarm may wait for the DHT, and for peers.
const SITE_SILENCE_MS = 180_000

export interface UpdateParts {
  config: UpdateConfig
  updater: Updater
  slots: Slots
  /** Undefined where this machine has no slots. */
  image?: Machine
  sources: ReleaseSource[]
  /** Host of the release site, where there is one. */
  site?: string
  stateDir: string
  folders: UpdateFolders
}

export interface UpdateFolders {
  /** What was fetched, by the user of the daemon. */
  fetched: string
  /** Asks root to install; its being there is what counts. */
  request: string
  /** When sources were asked last. */
  checked: string
  install: string
}

async function readKey(path: string) {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new BadKey(path, codeOf(error) ?? messageOf(error), { cause: error })
  })
  const key = text.length > MAX_KEY_FILE ? undefined : parsePublicKey(text)
  if (!key) throw new BadKey(path, 'it has to be the .pub file that `minisign -G` made')
  return key
}

async function siteHost(config: UpdateConfig, tld: string): Promise<string | undefined> {
  const text = config.site === '' ? await readFile(SITE_FILE, 'utf8').catch(() => '') : config.site
  const written = text.trim()
  if (written === '') return undefined
  const { name } = parseName(written, tld)
  if (name.kind === 'root') throw new Unreachable(written, 'update.site names no site')
  return name.kind === 'domain' ? name.host : hostOf(name, tld)
}

async function openSite(stateDir: string, host: string, tld: string): Promise<ReleaseSource> {
  const listeners = await readListeners(stateDir).catch(() => undefined)
  const port = listeners?.['http']?.port
  if (port === undefined || port === 0) {
    const where = `http://${host}/`
    return {
      where,
      kind: 'site',
      open: () => Promise.reject(new Unreachable(where, `no btlinkd runs on ${stateDir}`)),
    }
  }
  const versionHost = (infoHash: string) => `${infoHash}-ih.${tld}`
  return siteSource({ port, host, versionHost }, { silenceMs: SITE_SILENCE_MS })
}

const isNoImage = (error: unknown): undefined => {
  if (error instanceof NotAnImage) return undefined
  throw error
}

export async function updateParts({ flags }: VerbInput): Promise<UpdateParts> {
  const whole = await requireConfig({
    file: valueOf(flags, 'config'),
    stateDir: valueOf(flags, 'state') ?? process.env['BTLINKD_STATE_DIR'],
  })
  const { update: config, state_dir: stateDir, btlink } = whole
  const slots = createSlots({ compare: compareVersions }, IMAGE_SLOTS)
  const image = await slots.image().catch(isNoImage)
  const machine = image ?? {
    version: version(),
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
  }
  const folders = {
    fetched: join(stateDir, 'update', 'release'),
    request: join(stateDir, 'update', 'request.json'),
    checked: join(stateDir, 'update', 'checked.json'),
    install: IMAGE_SLOTS.folder,
  }
  const site = await siteHost(config, btlink.tld)
  const sources = [
    ...(site === undefined ? [] : [await openSite(stateDir, site, btlink.tld)]),
    ...(config.channel === ''
      ? []
      : [channelSource(config.channel, { silenceMs: CHANNEL_SILENCE_MS })]),
  ]
  const key = await readKey(config.key).catch((error: unknown) => {
    // A box that was never an image has no vendor's key: that is what there is to say.
    throw image ? error : new NotAnImage(messageOf(error), { cause: error })
  })
  const updater = createUpdater(
    { slots, key, machine },
    { fetchFolder: folders.fetched, installFolder: folders.install },
  )
  return {
    config,
    updater,
    slots,
    sources,
    stateDir,
    folders,
    ...(image && { image }),
    ...(site !== undefined && { site }),
  }
}

/** Who owns the state: what comes from outside is never handled as root where that is another. */
export async function ownerOf(stateDir: string): Promise<{ uid: number; gid: number } | undefined> {
  const info = await stat(stateDir).catch(() => undefined)
  if (!info || process.getuid?.() !== 0 || info.uid === 0) return undefined
  return { uid: info.uid, gid: info.gid }
}
