/** The domain `link.` on an authoritative server of Debian, with the link records of a test. */
import { type DnsServer, startNsd } from './dns-servers.ts'
import type { Cleanup } from './temp.ts'

/** RFC 1035 §5.1: strings of at most 255 characters, in quotes. */
export const txt = (...strings: string[]): string =>
  `TXT ${strings.map((text) => `"${text.replaceAll(/(["\\])/g, '\\$1')}"`).join(' ')}`

export const startLinkZone = async (t: Cleanup, lines: readonly string[]): Promise<DnsServer> =>
  startNsd(t, undefined, {
    link: `$ORIGIN link.
$TTL 300
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 60
@ NS ns1
ns1 A 127.0.0.1
${lines.join('\n')}
`,
  })
