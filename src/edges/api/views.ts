/** Domain values as the JSON that clients get: hex for bytes, names ready to open. */
import { toHex } from '../../base/bytes.ts'
import { encodePublicKey, hostOf, writeMagnet } from '../../base/names/index.ts'
import type { InfoHash, PublicKey } from '../../base/hashes.ts'
import type { PutOutcome } from '../../base/ports/dht-node.ts'
import type { Publication } from '../../base/ports/content.ts'
import type { Site, SiteVersion } from '../../base/ports/store.ts'

export interface NameView {
  publicKey: PublicKey
  base36: string
  /** Hex. */
  salt: string
  host: string
  /** BEP 46. */
  magnet: string
}

export function nameView(
  publicKey: PublicKey,
  salt: Uint8Array,
  tld: string,
  trackers: string[] = [],
): NameView {
  const name = { kind: 'key', publicKey, salt } as const
  return {
    publicKey,
    base36: encodePublicKey(publicKey),
    salt: toHex(salt),
    host: hostOf(name, tld),
    magnet: writeMagnet(name, { hints: { trackers } }),
  }
}

/** Addresses that open without any set-up, given the port of the gateway. */
export function urlsOf(host: string, gatewayPort: number | undefined): string[] {
  const direct = `http://${host}/`
  return gatewayPort === undefined || gatewayPort === 0
    ? [direct]
    : [`http://${host}.localhost:${gatewayPort}/`, direct]
}

export const infoHashLinks = (infoHash: InfoHash, tld: string, trackers: string[] = []) => ({
  infoHash,
  infoHashHost: hostOf({ kind: 'infohash', infoHash }, tld),
  infoHashMagnet: writeMagnet({ kind: 'infohash', infoHash }, { hints: { trackers } }),
})

const storedView = ({ asked, stored, errors }: PutOutcome) => ({ asked, stored, errors })

export function publicationView(
  done: Publication,
  tld: string,
  where: { gatewayPort: number | undefined; trackers: string[] },
) {
  const name = nameView(done.publicKey, done.salt, tld, where.trackers)
  return {
    ...name,
    ...infoHashLinks(done.infoHash, tld, where.trackers),
    seq: done.seq,
    changed: done.changed,
    urls: urlsOf(name.host, where.gatewayPort),
    ...(done.stored && { stored: storedView(done.stored) }),
  }
}

export const versionView = (version: SiteVersion) => ({
  seq: version.seq,
  infoHash: version.infoHash,
  firstSeenAt: new Date(version.firstSeenAt).toISOString(),
  confirmedAt: new Date(version.confirmedAt).toISOString(),
  signature: toHex(version.signature),
})

export function siteView(site: Site, latest: SiteVersion | undefined, tld: string) {
  return {
    ...nameView(site.publicKey, site.salt, tld),
    kind: site.keyName === undefined ? (site.pinned ? 'pinned' : 'visited') : 'own',
    ...(site.keyName !== undefined && { keyName: site.keyName }),
    ...(site.title !== undefined && { title: site.title }),
    ...(site.folder !== undefined && { folder: site.folder }),
    watched: site.watched,
    pinned: site.pinned,
    ...(site.lastVisitedAt !== undefined && {
      lastVisitedAt: new Date(site.lastVisitedAt).toISOString(),
    }),
    ...(latest && { seq: latest.seq, infoHash: latest.infoHash }),
  }
}
