/** The house's resolver. */
export type { DnsConfig } from './config.ts'
export { createDns, type Dns, type DnsDeps } from './dns.ts'
