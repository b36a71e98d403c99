/**
 * Questions of a house and what it must be told, whichever resolver answers it: ours alone, unbound in
 * front of it, or dnsmasq. Where they may differ, the difference stands beside the rule, with its reason.
 */

export type Engine = 'embedded' | 'unbound' | 'dnsmasq'

export interface Expected {
  status: 'NOERROR' | 'NXDOMAIN' | 'REFUSED' | 'SERVFAIL'
  /** As `dig +short` has them, in any order; `<box4>` and `<box6>` are the box. Undefined: not looked at. */
  answers?: readonly string[]
  /** Whether the authority section has an SOA, so that a "no" can be kept. */
  soa?: boolean
  /** Flags that must be there. */
  flags?: readonly string[]
  /** Whether the internet heard of the name; undefined: it may have been remembered. */
  leaves?: boolean
}

export interface Scenario extends Expected {
  title: string
  name: string
  type: string
  /** Further options of dig. */
  options?: readonly string[]
  /** Where an engine differs, and may; `null`: it has no such rule. */
  except?: Partial<Record<Engine, (Partial<Expected> & { why: string }) | null>>
}

export const HASH = 'ab'.repeat(20)
export const CONTENT = `${HASH}-ih.btlink`
export const KEY = `${'1'.repeat(50)}-pk.btlink`
export const MAGNET = `magnet:?xt=urn:btih:${HASH}`

/** The configuration of the house that they are about. */
export const HOUSE_CONFIG = {
  records: [
    'nas.lan=192.168.1.5',
    'nas.lan=fd00::5',
    'note.lan=TXT two words',
    'www.lan=CNAME nas.lan',
    'thing.home.arpa=192.168.1.6',
    'cam.example.org=192.168.1.8',
  ],
  link_records: [`chromecast.link=${MAGNET}`],
  local_domains: ['lan', 'home.arpa', 'internal'],
  allow_private: ['allowed.example'],
  wpad: true,
}
export const ROUTES = ['corp', '5.168.192.in-addr.arpa']

/**
 * The internet of the tests: all of the DNS in one zone. Addresses are those of benchmarks, since
 * dnsmasq takes those of documentation for private.
 */
export const INTERNET = `$ORIGIN .
$TTL 300
@ IN SOA ns.example. hostmaster.example. 1 7200 3600 1209600 60
@ NS ns.example.
ns.example. A 198.18.0.1
web.example.net. A 198.18.0.80
web.example.net. AAAA 2001:2::80
web.example.net. HTTPS 1 . alpn=h2
www.example.net. CNAME web.example.net.
Mixed.example.net. A 198.18.0.7
tcp.example.net. A 198.18.0.8
plain.example.net. A 198.18.0.9
any.example.net. A 198.18.0.10
any.example.net. TXT "one"
${Array.from({ length: 8 }, (_, index) => `long.example.net. TXT "${index}${'x'.repeat(199)}"`).join('\n')}
stale.example.net. 1 A 198.18.0.81
evil.example.net. A 192.168.1.1
loop.example.net. A 127.0.0.1
hint.example.net. HTTPS 1 . ipv4hint=192.168.1.1
evil6.example.net. AAAA fd00::1
mapped.example.net. AAAA ::ffff:192.168.1.1
both.example.net. A 198.18.0.82
both.example.net. A 10.0.0.1
ok.allowed.example. A 10.1.2.3
_btlink.site.example. TXT "${MAGNET}" "&x.pe=198.18.0.3:1"
_btlink.btlink.example. TXT "${KEY}"
btlink.example. A 198.18.0.83
use-application-dns.net. A 198.18.0.84
mask.icloud.com. A 198.18.0.85
mask-h2.icloud.com. A 198.18.0.85
wpad.example. A 198.18.0.66
wpad. A 198.18.0.66
0.debian.pool.ntp.org. A 198.18.0.123
chromecast.link. A 198.18.0.86
_btlink.chromecast.link. TXT "not the household's"
4.3.2.8.in-addr.arpa. PTR host.example.net.
`

export const no = { status: 'NXDOMAIN', answers: [], soa: true, leaves: false } as const
export const nothing = { status: 'NOERROR', answers: [], soa: true, leaves: false } as const
/** A policy zone says no without an SOA in unbound 1.17; clients then ask again sooner. */
const PLAIN_NO = { why: 'a policy zone has no SOA to give', soa: false }
export const DNSMASQ_NO = { why: 'dnsmasq makes no SOA', soa: false }
/** Its own built-in zones are not ours. */
export const policy = { unbound: PLAIN_NO } as const

export const built = { dnsmasq: DNSMASQ_NO } as const
/** The box's IPv4 address, and nobody else hears of the name. */
export const isBox = (title: string, name: string, options: readonly string[] = []): Scenario => ({
  title,
  name,
  type: 'A',
  options,
  status: 'NOERROR',
  answers: ['<box4>'],
  leaves: false,
})
