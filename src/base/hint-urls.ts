/** URLs of trackers and web seeds as strangers' links and torrents name them, made sound. */

/** Of each kind, in a link or torrent. */
export const MAX_HINTS = 20
const MAX_URL = 1024
const TRACKER_PROTOCOLS = ['http:', 'https:', 'udp:', 'ws:', 'wss:']
const WEB_SEED_PROTOCOLS = ['http:', 'https:']

/** Without fragment; undefined for other protocols, with credentials, and over 1024 characters. */
function soundUrl(text: string, protocols: readonly string[]): string | undefined {
  if (text.length > MAX_URL || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (!protocols.includes(url.protocol) || url.hostname === '') return undefined
  if (url.username !== '' || url.password !== '') return undefined
  url.hash = ''
  return url.href
}

function soundUrls(texts: readonly string[], protocols: readonly string[]): string[] {
  const urls = new Set<string>()
  for (const text of texts) {
    if (urls.size === MAX_HINTS) break
    const url = soundUrl(text, protocols)
    if (url !== undefined) urls.add(url)
  }
  return [...urls]
}

/** The sound ones, each once, at most 20: http, https, udp, ws, wss. */
export const trackerUrls = (texts: readonly string[]): string[] =>
  soundUrls(texts, TRACKER_PROTOCOLS)

/** The sound ones, each once, at most 20: http and https. */
export const webSeedUrls = (texts: readonly string[]): string[] =>
  soundUrls(texts, WEB_SEED_PROTOCOLS)
