/** The house's resolver. */
export type { DnsConfig } from './config.ts'
export { createBoxAddresses } from './box-addresses.ts'
export { createDns, type Dns, type DnsDeps } from './dns.ts'
export { dnsmasqFront } from './front/dnsmasq.ts'
export { type FrontPlan, planFront } from './front/plan.ts'
export { unboundFront } from './front/unbound.ts'
