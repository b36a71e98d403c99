/** Time travel: what a name pointed at before, as a list and by Accept-Datetime (RFC 7089). */
import { toHex } from '../../base/bytes.ts'
import type { LinkResolver } from '../../base/ports/content.ts'
import type { SiteVersion } from '../../base/ports/store.ts'
import { corsHeaders } from './content-headers.ts'
import { BadDatetime } from './errors.ts'
import { answer, torrentOrigin, type Exchange, type Handler } from './exchange.ts'

/** The newest version that was there at that time, else the oldest known. @param versions newest first */
export function versionAt(versions: readonly SiteVersion[], atMs: number): SiteVersion | undefined {
  return versions.find((version) => version.firstSeenAt <= atMs) ?? versions.at(-1)
}

export function versionsJson(exchange: Exchange, versions: readonly SiteVersion[]): string {
  return JSON.stringify({
    versions: versions.map((version) => ({
      seq: version.seq,
      time: new Date(version.firstSeenAt).toISOString(),
      confirmed: new Date(version.confirmedAt).toISOString(),
      infohash: version.infoHash,
      value: toHex(version.value),
      signature: toHex(version.signature),
      url: `${torrentOrigin(exchange, version.infoHash)}/`,
    })),
  })
}

/** The TimeGate of a name: the same URI as its original resource (RFC 7089 §4.1.1). */
export function createTimeGate(resolver: LinkResolver): Handler {
  return (exchange) => {
    const { name, req, target } = exchange
    const asked = req.headers['accept-datetime']
    if (name.kind !== 'key' || asked === undefined) return false
    const atMs = Date.parse(String(asked))
    if (Number.isNaN(atMs)) throw new BadDatetime(String(asked).slice(0, 60))
    const version = versionAt(resolver.versions(name.publicKey, name.salt), atMs)
    if (!version) return false
    const path = target.query === undefined ? target.path : `${target.path}?${target.query}`
    const location = `${torrentOrigin(exchange, version.infoHash)}${path}`
    const original = `${target.scheme}://${target.authority}${path}`
    const datetime = new Date(version.firstSeenAt).toUTCString()
    answer(exchange, 302, [
      'Location',
      location,
      'Vary',
      'Accept-Datetime',
      'Link',
      `<${original}>; rel="original timegate", <${location}>; rel="memento"; datetime="${datetime}"`,
      'Cache-Control',
      'no-cache',
      ...corsHeaders(),
    ])
    return true
  }
}
