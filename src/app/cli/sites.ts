import { ask } from './admin-client.ts'
import { table } from './table.ts'
import { argument, type Verb } from './verb.ts'

interface SiteLine {
  host: string
  kind: string
  keyName?: string
  title?: string
  folder?: string
  watched: boolean
  pinned: boolean
  seq?: number
}

interface VersionLine {
  seq: number
  infoHash: string
  firstSeenAt: string
}

function notes(site: SiteLine): string {
  const about = [site.keyName && `key ${site.keyName}`, site.title, site.folder]
  if (site.watched) about.push('watched')
  if (site.pinned && site.kind !== 'pinned') about.push('pinned')
  return about.filter(Boolean).join(', ')
}

export const sitesVerb: Verb = {
  usage: ['sites'],
  help: 'Lists the sites this box published, visited and pinned, and its pinned torrents.',
  options: {},
  takes: [0, 0],
  async run(input) {
    const known = await ask<{
      sites: SiteLine[]
      torrents: { infoHash: string; title?: string }[]
    }>(await input.stateDir(), 'GET', '/api/sites')
    const rows = [
      ...known.sites.map((site) => [site.kind, site.host, String(site.seq ?? '-'), notes(site)]),
      ...known.torrents.map(({ infoHash, title }) => ['torrent', infoHash, '-', title ?? '']),
    ]
    const text = rows.length === 0 ? 'no sites yet' : table(['KIND', 'NAME', 'SEQ', ''], rows)
    input.print(text, known)
  },
}

export const versionsVerb: Verb = {
  usage: ['versions NAME'],
  help: 'Lists the versions of a site that this box has seen, newest first. Each stays readable by its infohash.',
  options: {},
  takes: [1, 1],
  async run(input) {
    const path = `/api/sites/${encodeURIComponent(argument(input, 0))}/versions`
    const known = await ask<{ versions: VersionLine[] }>(await input.stateDir(), 'GET', path)
    const rows = known.versions.map((one) => [String(one.seq), one.firstSeenAt, one.infoHash])
    input.print(table(['SEQ', 'FIRST SEEN', 'INFOHASH'], rows), known)
  },
}
