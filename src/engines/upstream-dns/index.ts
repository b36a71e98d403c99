/** Other people's DNS servers: UDP, TCP, TLS and HTTPS, several of them, with a plan for each failure. */
export type { UpstreamDnsConfig } from './config.ts'
export { isSystem, parseRoute, parseServer } from './server-spec.ts'
export { createDnsUpstream, type UpstreamDnsDeps } from './upstream.ts'
