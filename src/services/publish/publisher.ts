/** The publisher: folders and uploads become torrents, and names point at them. */
import { basename, resolve } from 'node:path'
import { equalBytes } from '../../base/bytes.ts'
import { MAX_SALT_BYTES, nameKey } from '../../base/bep44.ts'
import { messageOf } from '../../base/errors.ts'
import type { InfoHash, PublicKey } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Component, Health, Stats } from '../../base/ports/component.ts'
import type { Library, Publication, Publisher, PublishOptions } from '../../base/ports/content.ts'
import type { DhtNode } from '../../base/ports/dht-node.ts'
import type { Log } from '../../base/ports/log.ts'
import type { Site, SiteVersion, Store } from '../../base/ports/store.ts'
import type { TorrentEngine } from '../../base/ports/torrent-engine.ts'
import { createAnnouncer } from './announcer.ts'
import { refuseOwn } from './apart.ts'
import type { PublisherConfig } from './config.ts'
import { BadSalt, NoRecord, NoTorrent } from './errors.ts'
import { createKeeper } from './keeper.ts'
import { createKnownFiles } from './known-files.ts'
import { createRecords, valueOf } from './records.ts'
import { readFolder } from './read-folder.ts'
import { createTurns } from './turns.ts'
import { receiveUpload } from './upload.ts'
import { createWatchedSites } from './watched-sites.ts'

export interface PublisherDeps {
  store: Store
  engine: Pick<TorrentEngine, 'add' | 'seed' | 'drop' | 'want'>
  dht: Pick<DhtNode, 'getMutable' | 'putMutable'>
  library: Pick<Library, 'open' | 'isLocal'>
  clock: Clock
  log: Log
  /** The daemon's own folders: neither they nor what holds them is ever published. */
  ownFolders: readonly string[]
}

export interface PublisherService extends Publisher, Component {
  stats(): Stats
}

/** What a name is to point at, and where that came from. */
interface Aim {
  infoHash: InfoHash
  folder?: string
}

const NEVER = new AbortController().signal
// A seq that the network had and we had not: signed again above it, so often at most.
const RESIGNS = 2
// After a start the records of many sites are not all put at once.
const FIRST_PUT_WITHIN_MS = 60_000
const SEQ_TOO_LOW = 302

export function createPublisher(deps: PublisherDeps, config: PublisherConfig): PublisherService {
  const { store, engine, clock, log } = deps
  const { sites } = store
  const records = createRecords(deps, config.publish.lookup_timeout)
  const keeper = createKeeper(deps)
  const announcer = createAnnouncer({ ...deps, records, onCurrent }, config.publish)
  const known = createKnownFiles()
  const inTurn = createTurns()
  const firstPutWithinMs = Math.min(FIRST_PUT_WITHIN_MS, config.publish.republish_interval)
  const watched = createWatchedSites(config.publish, republish, log)
  const stopping = new AbortController()
  const background = new Set<Promise<unknown>>()
  const counts = { folders: 0, uploads: 0, unchanged: 0 }

  function onCurrent(version: SiteVersion, isNew: boolean): void {
    const { publicKey, salt, seq, infoHash } = version
    const site = sites.site(publicKey, salt)
    if (isNew && site?.keyName !== undefined) {
      const fields = { key: publicKey, seq, keyName: site.keyName }
      log.warn(fields, 'another publisher uses this key: its record is newer than ours')
    }
    if (!site?.pinned && site?.keyName === undefined) return
    const pins = new Set(sites.pinnedTorrents().map((pin) => pin.infoHash))
    for (const older of infoHashesOf(publicKey, salt)) {
      if (older !== infoHash && !pins.has(older)) keeper.letGo(older)
    }
    // Also when it is not new here: a visitor's request may have brought the record, not the files.
    keeper.keep(infoHash, site)
  }

  /** Work that nobody waits for; `stop` does. */
  function later(what: string, work: () => Promise<unknown>): void {
    const done: Promise<unknown> = work()
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) log.warn({ reason: messageOf(error) }, `${what} failed`)
      })
      .finally(() => background.delete(done))
    background.add(done)
  }

  function saltOf(options: PublishOptions): Uint8Array {
    const salt = options.salt ?? new Uint8Array(0)
    if (salt.length > MAX_SALT_BYTES) throw new BadSalt(`${salt.length} bytes`)
    return salt
  }

  function saveOwn(key: PublicKey, aim: Aim, options: PublishOptions): void {
    const salt = saltOf(options)
    const site = sites.site(key, salt)
    const {
      folder: _folder,
      title: _title,
      ...rest
    } = site ?? { publicKey: key, salt, pinned: false }
    const isSame = site !== undefined && aim.folder === site.folder
    // Another folder under the name is another site: its title is not the old one's.
    const title = options.title ?? (isSame ? site.title : undefined)
    sites.saveSite({
      ...rest,
      keyName: options.keyName,
      ...(title === undefined ? {} : { title }),
      ...(aim.folder === undefined ? {} : { folder: aim.folder }),
      watched: aim.folder !== undefined && (options.watch ?? (isSame && site.watched)),
    })
  }

  /** Commits the record, unless the newest one says the same already. Nothing is announced yet. */
  async function commit(
    key: PublicKey,
    aim: Aim,
    options: PublishOptions,
    signal: AbortSignal,
  ): Promise<{ version: SiteVersion; changed: boolean }> {
    const salt = saltOf(options)
    // Who does not wait for the network is told of a higher seq by the put.
    const mustAsk = options.wait !== false || !sites.latest(key, salt)
    const seen = mustAsk ? (await records.learn(key, salt, signal)).seq : 0
    const latest = sites.latest(key, salt)
    saveOwn(key, aim, options)
    const isSame = latest !== undefined && equalBytes(latest.value, valueOf(aim.infoHash))
    if (latest && isSame && latest.seq >= seen) return { version: latest, changed: false }
    const owner = { keyName: options.keyName, publicKey: key, salt }
    return { version: await records.sign(owner, aim.infoHash, seen), changed: true }
  }

  /** Puts the record; where the network turns out to have a higher seq, signs above that. */
  async function announce(
    version: SiteVersion,
    aim: Aim,
    options: PublishOptions,
    signal: AbortSignal,
  ) {
    let current = version
    let stored = await announcer.announce(version.publicKey, version.salt, signal)
    for (let left = RESIGNS; left > 0 && (stored.errors[SEQ_TOO_LOW] ?? 0) > 0; left--) {
      const { publicKey, salt } = current
      const { seq: seen } = await records.learn(publicKey, salt, signal)
      if (seen < current.seq) break
      const owner = { keyName: options.keyName, publicKey, salt }
      current = await records.sign(owner, aim.infoHash, seen)
      stored = await announcer.announce(publicKey, salt, signal)
    }
    return { current, stored }
  }

  async function point(
    aim: Aim,
    options: PublishOptions,
    signal: AbortSignal,
  ): Promise<Publication> {
    const salt = saltOf(options)
    const key = await store.keys.ensure(options.keyName)
    return inTurn(nameKey(key, salt), async () => {
      const { version, changed } = await commit(key, aim, options, signal)
      if (!changed) counts.unchanged++
      const { infoHash } = aim
      const base = { infoHash, publicKey: key, salt, changed }
      announcer.track(key, salt, config.publish.republish_interval)
      if (options.wait === false) {
        later('announcing', () => announce(version, aim, options, stopping.signal))
        return { ...base, seq: version.seq }
      }
      const { current, stored } = await announce(version, aim, options, signal)
      return { ...base, seq: current.seq, stored }
    })
  }

  async function publishFolder(
    folder: string,
    options: PublishOptions,
    signal: AbortSignal,
  ): Promise<{ publication: Publication; fingerprint: string }> {
    const place = resolve(folder)
    await refuseOwn(place, deps.ownFolders)
    const salt = saltOf(options)
    const key = await store.keys.publicKey(options.keyName)
    const site = key && sites.site(key, salt)
    const title = options.title ?? (site?.folder === place ? site.title : undefined)
    const name = title ?? (basename(place) || 'site')
    const { max_files: maxFiles } = config.publish
    const limits = { name, storage: config.storage, maxFiles, known }
    const { torrent, found } = await readFolder(store, place, limits, signal)
    if (found.skipped.length > 0) {
      const skipped = found.skipped.slice(0, 20)
      log.warn({ folder, skipped }, 'left out: neither a file nor a link into the folder')
    }
    await seed(torrent.info, torrent.infoHash)
    counts.folders++
    const aim = { infoHash: torrent.infoHash, folder: place }
    const publication = await point(aim, options, signal)
    return { publication, fingerprint: found.fingerprint }
  }

  async function seed(info: Uint8Array, infoHash: InfoHash, announceDht = true): Promise<void> {
    await engine.add(info, { verified: true })
    await engine.seed(infoHash, { announceDht, own: true })
  }

  async function republish(site: Site, signal: AbortSignal): Promise<void> {
    const current = sites.site(site.publicKey, site.salt)
    if (!current?.watched || current.folder === undefined || current.keyName === undefined) return
    const { keyName, salt, title, folder } = current
    const options = { keyName, salt, ...(title === undefined ? {} : { title }), wait: false }
    const { publication } = await publishFolder(folder, options, signal)
    if (publication.changed) {
      const { infoHash, seq } = publication
      log.info({ folder, infoHash, seq }, 'published a changed folder')
    }
  }

  /** Leaves the swarms of torrents that no site and no pin needs any longer; the data stays. */
  async function dropUnneeded(candidates: readonly InfoHash[]): Promise<void> {
    const needed = new Set(sites.pinnedTorrents().map(({ infoHash }) => infoHash))
    for (const site of sites.sites()) {
      if (site.keyName === undefined && !site.pinned) continue
      for (const { infoHash } of sites.versions(site.publicKey, site.salt)) needed.add(infoHash)
    }
    for (const infoHash of new Set(candidates)) {
      if (needed.has(infoHash)) continue
      keeper.letGo(infoHash)
      await engine.drop(infoHash)
    }
  }

  const infoHashesOf = (key: PublicKey, salt: Uint8Array): InfoHash[] =>
    sites.versions(key, salt).map(({ infoHash }) => infoHash)

  async function restore(site: Site): Promise<void> {
    if (site.keyName === undefined && !site.pinned) return
    const latest = sites.latest(site.publicKey, site.salt)
    if (latest) {
      keeper.keep(latest.infoHash, site, site.keyName !== undefined)
      announcer.track(site.publicKey, site.salt, firstPutWithinMs)
    }
    if (site.watched) await watched.watch(site)
  }

  const health = (): Health => {
    const { tracked, thin } = announcer.state()
    if (thin === 0) return { status: 'ok', score: 100 }
    const detail = `${thin} of ${tracked} names are held by too few DHT nodes`
    return { status: 'degraded', score: Math.round(100 - (50 * thin) / tracked), detail }
  }

  return {
    name: 'publish',
    async folder(folder, options, signal = NEVER) {
      const { publication, fingerprint } = await publishFolder(folder, options, signal)
      const site = sites.site(publication.publicKey, publication.salt)
      if (site?.watched) await watched.watch(site, fingerprint)
      else await watched.unwatch(publication.publicKey, publication.salt)
      return publication
    },
    async upload(name, files, options = {}, signal) {
      const upload = { name, files, maxBytes: options.maxBytes }
      const made = await receiveUpload(store, upload, config, signal)
      const { infoHash, totalLength } = made
      sites.pinTorrent(infoHash, name.trim() || undefined, clock.now())
      await seed(made.info, infoHash, options.announceDht ?? true)
      counts.uploads++
      return { infoHash, totalLength, files: made.files }
    },
    async point(infoHash, options, signal = NEVER) {
      if (!(await store.torrents.info(infoHash))) throw new NoTorrent(infoHash)
      const publication = await point({ infoHash }, options, signal)
      await watched.unwatch(publication.publicKey, publication.salt)
      keeper.keep(infoHash, undefined, true)
      return publication
    },
    async unpublish(key, salt) {
      await watched.unwatch(key, salt)
      const site = sites.site(key, salt)
      if (!site) return
      const { keyName: _keyName, folder: _folder, ...rest } = site
      sites.saveSite({ ...rest, watched: false })
      if (!site.pinned) announcer.forget(key, salt)
      await dropUnneeded(infoHashesOf(key, salt))
    },
    async pin(key, salt, signal = NEVER) {
      await records.learn(key, salt, signal)
      const latest = sites.latest(key, salt)
      if (!latest) throw new NoRecord()
      const known = sites.site(key, salt) ?? { publicKey: key, salt, watched: false }
      const site = { ...known, pinned: true }
      sites.saveSite(site)
      keeper.keep(latest.infoHash, site)
      announcer.track(key, salt, firstPutWithinMs)
      return site
    },
    async unpin(key, salt) {
      const site = sites.site(key, salt)
      if (!site?.pinned) return
      sites.saveSite({ ...site, pinned: false })
      if (site.keyName === undefined) announcer.forget(key, salt)
      await dropUnneeded(infoHashesOf(key, salt))
    },
    async pinTorrent(infoHash, title) {
      sites.pinTorrent(infoHash, title, clock.now())
      keeper.keep(infoHash)
    },
    async unpinTorrent(infoHash) {
      sites.unpinTorrent(infoHash)
      await dropUnneeded([infoHash])
    },
    async start(signal) {
      signal.throwIfAborted()
      for (const site of sites.sites()) await restore(site)
      for (const { infoHash } of sites.pinnedTorrents()) keeper.keep(infoHash)
      announcer.start()
    },
    async stop() {
      stopping.abort()
      await Promise.all([watched.stop(), announcer.stop(), keeper.stop()])
      await Promise.allSettled(background)
    },
    health,
    stats() {
      const { tracked, thin, puts, acks } = announcer.state()
      const pending = keeper.pending()
      return {
        publish_folders: counts.folders,
        publish_uploads: counts.uploads,
        publish_unchanged: counts.unchanged,
        publish_puts: puts,
        publish_acks: acks,
        publish_names: tracked,
        publish_thin_names: thin,
        publish_pending_torrents: pending,
      }
    },
  }
}
