/**
 * The `_redirects` file of a site, in the grammar of IPFS gateways (specs.ipfs.tech/http-gateways/
 * web-redirects-file): lines of `from to [status]`, placeholders, one trailing splat, first match wins.
 */
import { BadRedirects } from './errors.ts'

export interface RedirectRule {
  from: readonly string[]
  hasSplat: boolean
  to: string
  status: number
}

export interface RedirectMatch {
  /** Raw path or address, placeholders filled in. */
  to: string
  status: number
}

/** The specification's limit. */
export const MAX_REDIRECTS_BYTES = 64 * 1024
const STATUSES = new Set([200, 301, 302, 303, 307, 308, 404, 410, 451])
const PLACEHOLDER = /^:[A-Za-z_][A-Za-z0-9_]*$/

export const isRedirectStatus = (status: number): boolean => status >= 300 && status < 400

function parseFrom(text: string, line: number): { from: string[]; hasSplat: boolean } {
  if (!text.startsWith('/')) throw new BadRedirects(`line ${line}: "${text}" must start with "/"`)
  const star = text.indexOf('*')
  if (star >= 0 && (star !== text.length - 1 || text[star - 1] !== '/')) {
    throw new BadRedirects(`line ${line}: "*" may only be the last segment`)
  }
  const hasSplat = star >= 0
  const from = (hasSplat ? text.slice(0, -1) : text).split('/').filter((part) => part !== '')
  const names = from.filter((part) => part.startsWith(':'))
  if (new Set(names).size !== names.length) {
    throw new BadRedirects(`line ${line}: a placeholder stands twice`)
  }
  return { from, hasSplat }
}

function checkTo(to: string, status: number, line: number): void {
  if (to.startsWith('/')) return
  if (!/^https?:\/\/[^/]/i.test(to)) {
    throw new BadRedirects(`line ${line}: "${to}" must be a path or an http address`)
  }
  // Content of other hosts is never fetched for a site: only a browser may be sent there.
  if (!isRedirectStatus(status)) {
    throw new BadRedirects(`line ${line}: status ${status} needs a path of this site`)
  }
}

function parseStatus(text: string | undefined, line: number): number {
  if (text === undefined) return 301
  if (text.endsWith('!')) {
    throw new BadRedirects(`line ${line}: forced rules ("${text}") are not supported`)
  }
  const status = /^\d{3}$/.test(text) ? Number(text) : Number.NaN
  if (!STATUSES.has(status)) throw new BadRedirects(`line ${line}: unknown status "${text}"`)
  return status
}

/**
 * @param text at most `MAX_REDIRECTS_BYTES` long
 * @throws BadRedirects naming the first wrong line
 */
export function parseRedirects(text: string): RedirectRule[] {
  const rules: RedirectRule[] = []
  text.split(/\r?\n/).forEach((raw, index) => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) return
    const [source = '', to, statusText, ...more] = line.split(/\s+/)
    if (to === undefined) throw new BadRedirects(`line ${index + 1}: no destination`)
    if (more.length > 0) throw new BadRedirects(`line ${index + 1}: more than three fields`)
    const status = parseStatus(statusText, index + 1)
    checkTo(to, status, index + 1)
    rules.push({ ...parseFrom(source, index + 1), to, status })
  })
  return rules
}

function bind(rule: RedirectRule, raw: readonly string[]): Map<string, string> | undefined {
  if (raw.length < rule.from.length) return undefined
  if (!rule.hasSplat && raw.length !== rule.from.length) return undefined
  const values = new Map<string, string>()
  for (const [i, part] of rule.from.entries()) {
    const segment = raw[i] ?? ''
    if (PLACEHOLDER.test(part)) values.set(part.slice(1), segment)
    else if (part !== segment && encodeURI(part) !== segment) return undefined
  }
  if (rule.hasSplat) values.set('splat', raw.slice(rule.from.length).join('/'))
  return values
}

/** First match of a raw path (as sent, still escaped), whatever its trailing slash. */
export function matchRedirect(
  rules: readonly RedirectRule[],
  path: string,
): RedirectMatch | undefined {
  const raw = path.split('/').filter((segment) => segment !== '')
  for (const rule of rules) {
    const values = bind(rule, raw)
    if (!values) continue
    const to = rule.to.replace(
      /:([A-Za-z_][A-Za-z0-9_]*)/g,
      (whole, name: string) => values.get(name) ?? whole,
    )
    return { to, status: rule.status }
  }
  return undefined
}

/** Location with the query of the request kept; what the rule itself sets wins. */
export function mergeQuery(to: string, query: string | undefined): string {
  if (query === undefined || query === '') return to
  const hash = to.indexOf('#')
  const fragment = hash < 0 ? '' : to.slice(hash)
  const bare = hash < 0 ? to : to.slice(0, hash)
  const mark = bare.indexOf('?')
  if (mark < 0) return `${bare}?${query}${fragment}`
  const own = new URLSearchParams(bare.slice(mark + 1))
  const kept = query.split('&').filter((pair) => {
    const [name = ''] = [...new URLSearchParams(pair).keys()]
    return !own.has(name)
  })
  return `${[bare, ...kept].join('&')}${fragment}`
}
