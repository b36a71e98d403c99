/** A name as it stands now: resolved, opened, and laid out as folders; with how long that may be believed. */
import type { InfoHash } from '../../base/hashes.ts'
import type { Clock } from '../../base/ports/clock.ts'
import type { Library, LinkResolver, OpenTorrent, Resolution } from '../../base/ports/content.ts'
import { nameKey } from '../../base/bep44.ts'
import type { SwarmHints } from '../../base/ports/torrent-engine.ts'
import type { ImmutableName, KeyName, Name } from '../../base/names/index.ts'
import { within } from './deadline.ts'
import { Timeout } from './errors.ts'
import type { RedirectRule } from './redirects.ts'
import { buildTree, type Folder } from './tree.ts'

/** What is worked out once for a torrent. */
export interface Prepared {
  readonly tree: Folder
  readonly fileCount: number
  /** Types guessed from first bytes, by file index. */
  readonly sniffed: Map<number, string>
  redirects?: readonly RedirectRule[]
}

export interface SiteView {
  readonly infoHash: InfoHash
  readonly torrent: OpenTorrent
  readonly prepared: Prepared
  /** Undefined for `-ih` names, which never change. */
  readonly key?: KeyName
  readonly resolution?: Resolution
  /** Until then the same answer may be given without asking again (clock time). */
  readonly validUntil: number
}

export interface ViewOptions {
  localOnly: boolean
  /** Where to look for the torrent besides. */
  hints: SwarmHints | undefined
}

export interface SiteViews {
  /** @throws errors of resolver and library; Timeout (504) after `wait_timeout` */
  view(
    name: Exclude<Name, ImmutableName>,
    options: ViewOptions,
    signal: AbortSignal,
  ): Promise<SiteView>
  /** A view that is still valid, without waiting. */
  current(name: Name): SiteView | undefined
  /** Forgets views that are too old to be used. */
  sweep(): void
}

// The library keeps torrents in the swarm while they are asked for: ask again now and then.
const REOPEN_MS = 5000
// Long enough for a page's pictures, short against the resolver's own cache.
const RESOLVED_MS = 250
// Folders of a torrent with very many files take megabytes: bounded by files, not only by torrents.
const MAX_PREPARED = 128
const MAX_PREPARED_FILES = 300_000
const MAX_VIEWS = 512

export const viewKey = (name: Name): string => {
  if (name.kind === 'infohash') return name.infoHash
  return name.kind === 'key' ? nameKey(name.publicKey, name.salt) : name.target
}

/** Sets an entry as the newest, and drops the oldest beyond `max`. */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > max) {
    const oldest = map.keys().next()
    if (!oldest.done) map.delete(oldest.value)
  }
}

export function createSiteViews(
  deps: { resolver: LinkResolver; library: Library; clock: Clock },
  { waitTimeoutMs }: { waitTimeoutMs: number },
): SiteViews {
  const { resolver, library, clock } = deps
  const prepared = new Map<InfoHash, Prepared>()
  const views = new Map<string, SiteView>()

  function prepare(torrent: OpenTorrent): Prepared {
    const { infoHash } = torrent.metainfo
    const found = prepared.get(infoHash) ?? {
      tree: buildTree(torrent.metainfo),
      fileCount: torrent.metainfo.files.length,
      sniffed: new Map<number, string>(),
    }
    remember(prepared, infoHash, found, MAX_PREPARED)
    let files = 0
    for (const { fileCount } of prepared.values()) files += fileCount
    for (const [oldest, { fileCount }] of prepared) {
      if (files <= MAX_PREPARED_FILES || oldest === infoHash) break
      prepared.delete(oldest)
      files -= fileCount
    }
    return found
  }

  async function look(
    name: Exclude<Name, ImmutableName>,
    { localOnly, hints }: ViewOptions,
    signal: AbortSignal,
  ): Promise<SiteView> {
    const more = { localOnly, ...(hints && { hints }) }
    if (name.kind === 'infohash') {
      const torrent = await library.open(name.infoHash, more, signal)
      const validUntil = clock.now() + REOPEN_MS
      return { infoHash: name.infoHash, torrent, prepared: prepare(torrent), validUntil }
    }
    const resolution = await resolver.resolve(name.publicKey, name.salt, { localOnly }, signal)
    const { infoHash } = resolution
    const site = { publicKey: name.publicKey, salt: name.salt }
    const torrent = await library.open(infoHash, { ...more, site }, signal)
    const validUntil = clock.now() + RESOLVED_MS
    return { infoHash, torrent, prepared: prepare(torrent), key: name, resolution, validUntil }
  }

  function current(name: Name): SiteView | undefined {
    const view = views.get(viewKey(name))
    return view !== undefined && clock.now() < view.validUntil ? view : undefined
  }

  return {
    current,
    async view(name, options, signal) {
      const known = current(name)
      if (known) return known
      const what = name.kind === 'infohash' ? 'this torrent' : 'this name or its torrent'
      const late = () => new Timeout(what, waitTimeoutMs / 1000)
      const view = await within({ ms: waitTimeoutMs, signal, late }, async (inner) =>
        look(name, options, inner),
      )
      remember(views, viewKey(name), view, MAX_VIEWS)
      return view
    },
    sweep() {
      for (const [key, view] of views) if (clock.now() >= view.validUntil) views.delete(key)
    },
  }
}
