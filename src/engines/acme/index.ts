/** Certificates of a public authority for this gateway's own names, ordered by ACME (RFC 8555). */
export { type Acme, type AcmeDeps, createAcme } from './acme.ts'
export type { AcmeConfig, AcmeOptions } from './config.ts'
