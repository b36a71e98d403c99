/** Media types: by extension first, by the first bytes where the extension says nothing. */

const UTF8 = '; charset=utf-8'

/** Type, then its extensions. */
const TYPES: readonly (readonly [string, string])[] = [
  [`text/html${UTF8}`, 'html htm xhtm'],
  [`text/css${UTF8}`, 'css'],
  [`text/javascript${UTF8}`, 'js mjs cjs'],
  [
    `text/plain${UTF8}`,
    'txt text log conf ini cfg toml rst sh py rb go rs c h cpp hpp java ts tsx jsx nfo srt diff patch',
  ],
  [`text/markdown${UTF8}`, 'md markdown'],
  [`text/csv${UTF8}`, 'csv'],
  [`text/tab-separated-values${UTF8}`, 'tsv'],
  [`text/vtt${UTF8}`, 'vtt'],
  [`text/calendar${UTF8}`, 'ics'],
  [`text/vcard${UTF8}`, 'vcf'],
  [`text/xml${UTF8}`, 'xml xsl xsd'],
  [`text/yaml${UTF8}`, 'yaml yml'],
  [`application/rss+xml${UTF8}`, 'rss'],
  [`application/atom+xml${UTF8}`, 'atom'],
  ['application/xhtml+xml', 'xhtml'],
  ['application/json', 'json map'],
  ['application/ld+json', 'jsonld'],
  ['application/feed+json', 'jsonfeed'],
  ['application/geo+json', 'geojson'],
  ['application/manifest+json', 'webmanifest'],
  ['application/wasm', 'wasm'],
  ['application/pdf', 'pdf'],
  ['application/epub+zip', 'epub'],
  ['application/zip', 'zip'],
  ['application/gzip', 'gz tgz'],
  ['application/zstd', 'zst'],
  ['application/x-bzip2', 'bz2'],
  ['application/x-xz', 'xz'],
  ['application/x-7z-compressed', '7z'],
  ['application/vnd.rar', 'rar'],
  ['application/x-tar', 'tar'],
  ['application/x-bittorrent', 'torrent'],
  ['application/x-iso9660-image', 'iso'],
  ['application/vnd.apple.mpegurl', 'm3u8'],
  ['application/dash+xml', 'mpd'],
  ['application/vnd.android.package-archive', 'apk'],
  ['application/vnd.debian.binary-package', 'deb'],
  ['application/rtf', 'rtf'],
  ['application/msword', 'doc'],
  ['application/vnd.ms-excel', 'xls'],
  ['application/vnd.ms-powerpoint', 'ppt'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
  ['application/vnd.openxmlformats-officedocument.presentationml.presentation', 'pptx'],
  ['application/vnd.oasis.opendocument.text', 'odt'],
  ['application/vnd.oasis.opendocument.spreadsheet', 'ods'],
  ['application/vnd.sqlite3', 'sqlite sqlite3'],
  ['image/png', 'png'],
  ['image/apng', 'apng'],
  ['image/jpeg', 'jpg jpeg jpe jfif'],
  ['image/gif', 'gif'],
  ['image/webp', 'webp'],
  ['image/avif', 'avif'],
  ['image/jxl', 'jxl'],
  ['image/heic', 'heic'],
  ['image/svg+xml', 'svg'],
  ['image/x-icon', 'ico cur'],
  ['image/bmp', 'bmp'],
  ['image/tiff', 'tif tiff'],
  ['audio/mpeg', 'mp3'],
  ['audio/mp4', 'm4a m4b'],
  ['audio/aac', 'aac'],
  ['audio/ogg', 'ogg oga opus'],
  ['audio/flac', 'flac'],
  ['audio/wav', 'wav'],
  ['audio/webm', 'weba'],
  ['audio/midi', 'mid midi'],
  ['video/mp4', 'mp4 m4v m4s'],
  // Chrome plays Matroska when it is called WebM and downloads it when it is called by its name.
  ['video/webm', 'webm mkv'],
  ['video/ogg', 'ogv'],
  ['video/quicktime', 'mov'],
  ['video/x-msvideo', 'avi'],
  ['video/mp2t', 'm2ts mts'],
  ['video/mpeg', 'mpg mpeg'],
  ['video/3gpp', '3gp'],
  ['font/woff', 'woff'],
  ['font/woff2', 'woff2'],
  ['font/ttf', 'ttf'],
  ['font/otf', 'otf'],
]

const BY_EXTENSION = new Map<string, string>()
for (const [type, extensions] of TYPES) {
  for (const extension of extensions.split(' ')) BY_EXTENSION.set(extension, type)
}

export const UNKNOWN_TYPE = 'application/octet-stream'

/** By the extension of a file name; undefined where it says nothing. */
export function typeByName(name: string): string | undefined {
  const dot = name.lastIndexOf('.')
  return dot < 0 ? undefined : BY_EXTENSION.get(name.slice(dot + 1).toLowerCase())
}
