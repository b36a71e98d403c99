/** The page that shows a folder: for people, without scripts, right for any name a torrent may have. */
import { formatSize } from '../../base/units.ts'
import { html, page, type Html } from '../http/index.ts'
import type { Folder } from './tree.ts'

export interface ListingFacts {
  folder: Folder
  /** From the root of the site. */
  segments: readonly string[]
  magnet: string
  /** Of the key, where the host names one. */
  siteMagnet: string | undefined
  infoHash: string
  /** The `-ih` origin, where this very version stays. */
  origin: string
}

// Names as people sort them: `2` before `10`, `a` beside `A`. Ties by code unit, so that it is one order.
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })
const byName = (a: string, b: string): number =>
  collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0)

// No person reads further, and sorting more would hold up everybody else.
const MAX_ROWS = 5000

const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] =>
  [...map].slice(0, MAX_ROWS).sort(([a], [b]) => byName(a, b))

/** Relative, so that it works under every host; `./` keeps `a:b` from being read as a scheme. */
const hrefOf = (name: string): string => `./${encodeURIComponent(name.toWellFormed())}`

const row = (href: string, label: string, size: string): Html =>
  html`<tr><td><a href="${href}">${label}</a></td><td class="size">${size}</td></tr>
`

function crumbs(segments: readonly string[]): Html[] {
  return segments.map((name, i) => {
    const up = '../'.repeat(segments.length - 1 - i)
    return up === '' ? html` / ${name}` : html` / <a href="${up}">${name}</a>`
  })
}

export function listingPage(facts: ListingFacts): string {
  const { folder, segments, magnet, siteMagnet, infoHash, origin } = facts
  const folders = sorted(folder.folders)
  const files = sorted(folder.files)
  const hidden = folder.folders.size + folder.files.size - folders.length - files.length
  const rows = [
    ...(segments.length > 0 ? [row('../', '../', '')] : []),
    ...folders.map(([name, { length }]) => row(`${hrefOf(name)}/`, `${name}/`, formatSize(length))),
    ...files.map(([name, file]) => row(hrefOf(name), name, formatSize(file.length))),
  ]
  const root =
    segments.length === 0 ? html`/` : html`<a href="${'../'.repeat(segments.length)}">/</a>`
  const title = segments.length === 0 ? 'Files' : `Files in ${segments.join('/')}`
  return page(
    title,
    html`<h1>${root}${crumbs(segments)}</h1>
<table>
<thead><tr><th scope="col">Name</th><th scope="col" class="size">Size</th></tr></thead>
<tbody>
${rows}</tbody>
</table>
${hidden > 0 ? html`<p>And ${hidden} more: <a href="/.btlink/info.json">all names</a>.</p>\n` : undefined}<p><a href="${magnet}">Magnet link</a> · <a href="?format=zip">Zip</a> · <a href="?format=tar">Tar</a> · <a href="/.btlink/site.torrent">Torrent</a></p>
${
  siteMagnet === undefined
    ? undefined
    : html`<p><a href="${siteMagnet}">Magnet link of the site</a>, whatever its torrent is then.</p>
`
}<p class="dim">Torrent <a href="${origin}/"><code>${infoHash}</code></a>, ${formatSize(folder.length)} here.</p>`,
  )
}
