/**
 * `/.btlink/webseed/`: the torrent as BEP 19 clients ask for it, which each do in their own spelling.
 * The base itself is a single-file torrent's file; below it stand `<name>` and `<name>/<path>`.
 */
import type { Metainfo, TorrentFile } from '../../base/metainfo/metainfo.ts'

/** Request path and query behind the base, raw. */
interface Asked {
  rest: string
  query: string | undefined
}

/** Names of all files, by how each dialect writes them. */
interface Names {
  /** `<name>/<path>` as it is. */
  exact: Map<string, TorrentFile>
  /** With the characters that Transmission replaces; undefined where two files share one. */
  sanitised: Map<string, TorrentFile | undefined>
  /** Up to the first `#` or `?`, where webtorrent's URLs end. */
  cut: Map<string, TorrentFile | undefined>
}

/** Transmission 3: characters that Windows forbids, and control characters, become `_`; ends lose dots and spaces. */
const sanitise = (name: string): string =>
  name.replace(/[<>:"\\|?*\p{Cc}]/gu, '_').replace(/^ +|[ .]+$/g, '')

const sanitisePath = (path: readonly string[]): string => path.map(sanitise).join('/')

function addOnce(map: Map<string, TorrentFile | undefined>, key: string, file: TorrentFile): void {
  map.set(key, map.has(key) ? undefined : file)
}

function namesOf(metainfo: Metainfo): Names {
  const names: Names = { exact: new Map(), sanitised: new Map(), cut: new Map() }
  for (const file of metainfo.files) {
    const path = metainfo.isSingleFile ? [metainfo.name] : [metainfo.name, ...file.path]
    const whole = path.join('/')
    names.exact.set(whole, file)
    addOnce(names.sanitised, sanitisePath(path), file)
    const end = whole.search(/[#?]/)
    if (end >= 0) addOnce(names.cut, whole.slice(0, end), file)
  }
  return names
}

/** Percent escapes that are sound are decoded, others stand for themselves: webtorrent escapes nothing. */
function decodeLeniently(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
      try {
        return decodeURIComponent(run)
      } catch {
        return run
      }
    })
  }
}

export interface WebSeedFiles {
  find(metainfo: Metainfo, asked: Asked): TorrentFile | undefined
}

const MAX_REMEMBERED = 16

export function createWebSeedFiles(): WebSeedFiles {
  const known = new Map<string, Names>()

  function names(metainfo: Metainfo): Names {
    const found = known.get(metainfo.infoHash) ?? namesOf(metainfo)
    if (known.size >= MAX_REMEMBERED) known.clear()
    known.set(metainfo.infoHash, found)
    return found
  }

  return {
    find(metainfo, { rest, query }) {
      if (rest === '') return metainfo.isSingleFile ? metainfo.files[0] : undefined
      const { exact, sanitised, cut } = names(metainfo)
      const decoded = decodeLeniently(rest)
      const withQuery = query === undefined ? [] : [`${decoded}?${decodeLeniently(query)}`]
      for (const path of [...withQuery, decoded, rest]) {
        const file = exact.get(path)
        if (file) return file
      }
      return (
        cut.get(decoded) ??
        sanitised.get(decoded) ??
        sanitised.get(sanitisePath(decoded.split('/')))
      )
    },
  }
}
