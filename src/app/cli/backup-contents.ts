/** What a backup would bring, for people and for scripts. */
import { hostOf } from '../../base/names/index.ts'
import { formatSize } from '../../base/units.ts'
import type { Contents } from '../../services/backup/index.ts'

const fingerprint = (sha256: string): string => sha256.toUpperCase().replace(/(..)(?!$)/g, '$1:')

export function contentsView(contents: Contents, tld: string) {
  const { head, files, bytes, keys, roots, database, certificates, torrents, config } = contents
  return {
    made: new Date(head.made).toISOString(),
    version: head.btlinkd,
    host: head.host,
    files,
    bytes,
    keys: [...keys.keys()],
    roots,
    sites: (database?.own ?? []).map(({ publicKey, salt, keyName, title, seq, infoHash }) => ({
      host: hostOf({ kind: 'key', publicKey, salt }, tld),
      key: keyName,
      title,
      seq,
      infoHash,
      hasContent: infoHash !== undefined && torrents.includes(infoHash),
    })),
    pinned: database?.pinned ?? 0,
    visited: database?.visited ?? 0,
    certificates,
    configuration: config !== undefined,
  }
}

export function contentsText(view: ReturnType<typeof contentsView>): string {
  const { sites } = view
  return [
    `made ${view.made.slice(0, 16).replace('T', ' ')} UTC by btlinkd ${view.version} on ${view.host}: ${view.files} files, ${formatSize(view.bytes)}`,
    `keys         ${view.keys.length === 0 ? 'none' : view.keys.join(', ')}`,
    ...view.roots.map(({ place, sha256 }) => `root         ${place}  ${fingerprint(sha256)}`),
    ...sites.map(
      ({ host, title, seq, hasContent }) =>
        `site         ${host}  version ${seq}${title === undefined ? '' : `  ${title}`}${hasContent ? ', with its content' : ''}`,
    ),
    `remembered   ${view.pinned} pinned, ${view.visited} visited`,
    ...(view.certificates > 0 ? [`public       ${view.certificates} certificates`] : []),
    `configuration ${view.configuration ? 'yes' : 'no'}`,
  ].join('\n')
}
