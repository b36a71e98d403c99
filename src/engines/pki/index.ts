/** Certificates that devices of this household trust, for the hosts this box serves and no others. */
export type { PkiConfig, PkiOptions } from './config.ts'
export { createPki, type PkiDeps } from './pki.ts'
export { shownWords } from './shown-words.ts'
