/** Files of older versions of a site that may hold the same bytes: a new version costs only its changes. */
import type { StoreLayout } from '../../base/layout.ts'
import { torrentFilePath } from '../../base/layout.ts'
import { decodeInfoInSlices } from '../../base/metainfo/decode.ts'
import type { Metainfo } from '../../base/metainfo/metainfo.ts'
import type { SiteVersion, TorrentFolders } from '../../base/ports/store.ts'
import type { ReuseCandidate } from '../../base/ports/torrent-engine.ts'

const VERSIONS_LOOKED_AT = 3

export async function findReuse(
  deps: { torrents: Pick<TorrentFolders, 'info'>; layout: StoreLayout },
  metainfo: Metainfo,
  versions: readonly SiteVersion[],
): Promise<ReuseCandidate[]> {
  const keyOf = (path: readonly string[], length: number): string => `${length}:${path.join('/')}`
  const wanted = new Map(metainfo.files.map((file) => [keyOf(file.path, file.length), file.index]))
  const candidates = new Map<number, string>()
  const older = versions.filter((version) => version.infoHash !== metainfo.infoHash)
  for (const version of older.slice(0, VERSIONS_LOOKED_AT)) {
    const info = await deps.torrents.info(version.infoHash)
    if (!info) continue
    const { files } = await decodeInfoInSlices(info)
    for (const file of files) {
      const index = wanted.get(keyOf(file.path, file.length))
      if (index === undefined || candidates.has(index)) continue
      candidates.set(index, torrentFilePath(deps.layout, version.infoHash, file.index))
    }
  }
  return [...candidates].map(([fileIndex, path]) => ({ fileIndex, path }))
}
