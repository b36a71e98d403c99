/** Names that the standards took out of the DNS, and those of the house that must not leave it. */
import { TYPE } from '../../../base/dns/codes.ts'
import { type DnsName, foldName, parentOfName, ROOT } from '../../../base/dns/name.ts'
import { addressData } from '../../../base/dns/record-data.ts'
import type { DnsConfig } from '../config.ts'
import type { Asked, Handler, Made } from '../reply.ts'
import { createZone, found, nameOf, noData, notThere, thisBox, type Zone } from '../zone.ts'

type Fate = 'not-there' | 'no-data' | 'loopback'

/** RFC 6761, 6762, 7686, 8375, 9476, 9462 and the canaries of browsers and phones. */
const SPECIAL: readonly [string, Fate][] = [
  ['localhost', 'loopback'],
  ['local', 'not-there'],
  ['onion', 'not-there'],
  ['invalid', 'not-there'],
  ['test', 'not-there'],
  ['alt', 'not-there'],
  // We serve no encrypted DNS: nothing to discover.
  ['resolver.arpa', 'no-data'],
]

/** Firefox, and Apple's relay: "does this network want to be asked?" An answer must not be silence. */
export const CANARIES = ['use-application-dns.net', 'mask.icloud.com', 'mask-h2.icloud.com']

/** RFC 6303 and 7793: reverse names of networks that no server of the internet knows. */
const REVERSE = [
  '0',
  '10',
  '127',
  '254.169',
  '168.192',
  '2.0.192',
  '100.51.198',
  '113.0.203',
  ...Array.from({ length: 16 }, (_, index) => `${16 + index}.172`),
  ...Array.from({ length: 64 }, (_, index) => `${64 + index}.100`),
  '255.255.255.255',
].map((prefix) => `${prefix}.in-addr.arpa`)

const REVERSE_6 = [
  `${'0.'.repeat(32)}ip6.arpa`,
  `1.${'0.'.repeat(31)}ip6.arpa`,
  'd.f.ip6.arpa',
  '8.e.f.ip6.arpa',
  '9.e.f.ip6.arpa',
  'a.e.f.ip6.arpa',
  'b.e.f.ip6.arpa',
  '8.b.d.0.1.0.0.2.ip6.arpa',
]

/** All of them but canaries, which a configuration may turn off. */
export const SPECIAL_NAMES: readonly string[] = [
  ...SPECIAL.map(([name]) => name),
  ...REVERSE,
  ...REVERSE_6,
]

const LOOPBACK: Partial<Record<number, Uint8Array | undefined>> = {
  [TYPE.A]: addressData('127.0.0.1'),
  [TYPE.AAAA]: addressData('::1'),
}

/** What validating clients ask of top-level domains; any other question of one label is a host's name. */
const OF_TOP_LEVELS: readonly number[] = [TYPE.NS, TYPE.SOA, 43, 48]

interface Special {
  zone: Zone
  fate: Fate
}

export interface SpecialDeps {
  /** For SOA records. */
  host: DnsName
  /** Domains with servers of their own: theirs to answer, whatever the standards say. Folded. */
  routed: readonly DnsName[]
}

export function createSpecialNames(
  { host, routed }: SpecialDeps,
  config: Pick<DnsConfig, 'local_domains' | 'wpad' | 'canaries'>,
): Handler {
  const table = new Map<DnsName, Special>()
  const add = (text: string, fate: Fate) => {
    const name = foldName(nameOf(text))
    table.set(name, { zone: createZone(name, host), fate })
  }
  for (const [text, fate] of SPECIAL) add(text, fate)
  for (const text of [...REVERSE, ...REVERSE_6, ...config.local_domains]) add(text, 'not-there')
  if (config.canaries) for (const text of CANARIES) add(text, 'not-there')
  const locals = new Set(config.local_domains.map((text) => foldName(nameOf(text))))
  const isRouted = new Set(routed)
  const root = createZone(ROOT, host)
  const wpad = nameOf('wpad').slice(0, -1)

  /** The nearest domain above that is special; the house's own servers come before the standards. */
  function specialOf(name: DnsName): Special | undefined {
    for (let at: DnsName | undefined = name; at !== undefined; at = parentOfName(at)) {
      if (isRouted.has(at)) return undefined
      const special = table.get(at)
      if (special) return special
    }
    return undefined
  }

  function answerWpad(asked: Asked): Made {
    const parent = parentOfName(asked.query.folded)
    const isOurs = parent === ROOT || (parent !== undefined && locals.has(parent))
    return config.wpad && isOurs ? thisBox(asked, root) : notThere(root)
  }

  return {
    name: 'special-names',
    answer(asked) {
      const { folded, type } = asked.query
      // Who owns wpad.<a suffix> on the internet would be every browser's proxy (VU#598349).
      if (folded.startsWith(wpad)) return answerWpad(asked)
      const special = specialOf(folded)
      if (special === undefined) {
        const isOneLabel = folded !== ROOT && parentOfName(folded) === ROOT
        return isOneLabel && !isRouted.has(folded) && !OF_TOP_LEVELS.includes(type)
          ? notThere(root)
          : undefined
      }
      const { zone, fate } = special
      if (fate === 'loopback') {
        const address = LOOPBACK[type]
        return address === undefined ? noData(zone) : found(asked, [address])
      }
      if (folded === zone.name && type === TYPE.SOA) return found(asked, [zone.soa.data])
      if (fate === 'no-data') return noData(zone)
      // RFC 8020: a zone of ours is there even though it holds nothing.
      return folded === zone.name && locals.has(folded) ? noData(zone) : notThere(zone)
    },
  }
}
