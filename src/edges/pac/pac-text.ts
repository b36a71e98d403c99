/** The proxy auto-configuration file itself: a few lines, the same for everybody who asks the same way. */

export interface PacRules {
  /** Where the HTTP proxy is: `192.168.1.5:42080`, `[fd00::5]:42080`. */
  proxy: string
  /** Where the HTTPS proxy is, for devices that trust the box; it is then asked before the other one. */
  secureProxy?: string | undefined
  /** The one label all names end in. */
  tld: string
  /** Further domains that go through the proxy with everything below them. */
  proxyDomains: readonly string[]
  /** Domains that never do, even below one of `proxyDomains`. */
  directDomains: readonly string[]
  /** Whether domains with a link record go through the proxy too; costs a DNS look-up for each host. */
  links?: boolean
}

const quoted = (text: string): string => JSON.stringify(text)

/** ES3 and ASCII: Android, WinHTTP and pacparser have old engines, and Chromium reads Latin-1. */
function within(domains: readonly string[]): string {
  return domains
    .map((domain) => {
      const dotted = `.${domain}`
      return `h == ${quoted(domain)} || h.slice(-${dotted.length}) == ${quoted(dotted)}`
    })
    .join(' ||\n      ')
}

/**
 * What `FindProxyForURL` returns for our hosts, best first. DIRECT is last: in a house whose DNS is
 * the box names work without the proxy too.
 */
function route({ proxy, secureProxy }: PacRules): string {
  // Firefox does not go on to the next one when it does not trust the certificate of an HTTPS proxy,
  // and Safari has none: only those who ask for it get it.
  const secure = secureProxy === undefined ? [] : [`HTTPS ${secureProxy}`]
  return [...secure, `PROXY ${proxy}`, 'DIRECT'].join('; ')
}

/**
 * The text of a PAC file. No regular expressions, and neither `myIpAddress` nor `shExpMatch`: each
 * engine has its own idea of them. `dnsResolve` stands in the `links` variant only.
 */
export function pacText(rules: PacRules): string {
  const { tld, proxyDomains, directDomains } = rules
  const lines = [
    'function FindProxyForURL(url, host) {',
    `  var route = ${quoted(route(rules))};`,
    '  var h = host.toLowerCase();',
    '  if (h.charAt(h.length - 1) == ".") h = h.slice(0, -1);',
  ]
  if (directDomains.length > 0) lines.push(`  if (${within(directDomains)}) return "DIRECT";`)
  lines.push(`  if (${within([tld, ...proxyDomains])}) return route;`)
  if (rules.links === true) {
    // The box's resolver answers `<host>._btlink.<tld>` with an address where there is a link record;
    // the look-up never leaves the house. Plain names and addresses have none.
    lines.push(
      '  if (h.indexOf(".") > 0 && h.indexOf(":") < 0 && isNaN(h.charAt(h.length - 1)) &&',
      `      dnsResolve(h + ${quoted(`._btlink.${tld}`)})) return route;`,
    )
  }
  lines.push('  return "DIRECT";', '}', '')
  return lines.join('\n')
}
