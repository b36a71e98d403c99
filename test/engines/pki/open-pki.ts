/** An authority in a temporary folder, with a clock that moves by hand. */
import { X509Certificate } from 'node:crypto'
import type { CertAuthority } from '../../../src/base/ports/cert-issuer.ts'
import { type Log, silentLog } from '../../../src/base/ports/log.ts'
import { createPki, type PkiOptions } from '../../../src/engines/pki/index.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
/** Noon of a day when every clock was right. */
export const NOW = Date.UTC(2027, 2, 15, 12)
export const KEY = '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko'
export const PASSPHRASE = 'correct horse battery staple'

export const pkiOptions: PkiOptions = {
  leaf_lifetime: 90 * DAY,
  max_leaves: 1000,
  leaves_per_second: 100,
  leaf_burst: 500,
  box_names: [],
  link_domains: [],
  tld: 'btlink',
  reserved_hosts: ['setup.btlink', 'my.btlink'],
}

/** The host of the torrent whose infohash is this number. */
export const siteHost = (number: number): string =>
  `${number.toString(16).padStart(40, '0')}-ih.btlink`

export interface OpenPki {
  pki: CertAuthority
  folder: string
  clock: { now(): number; at: number }
  /** Messages logged, with their level in front. */
  logged: string[]
}

export interface OpenOptions extends Partial<PkiOptions> {
  folder?: string
  now?: number
}

export async function openPki(t: Cleanup, options: OpenOptions = {}): Promise<OpenPki> {
  const { folder = `${await tempFolder(t, 'pki')}/pki`, now = NOW, ...rest } = options
  const clock = {
    at: now,
    now(): number {
      return clock.at
    },
  }
  const logged: string[] = []
  const say = (level: string) => (fields: object, message: string) =>
    void logged.push(`${level} ${message} ${JSON.stringify(fields)}`)
  const log: Log = { ...silentLog, warn: say('warn'), error: say('error'), info: say('info') }
  const pki = createPki({ log, clock, folder }, { ...pkiOptions, ...rest })
  await pki.start(new AbortController().signal)
  finallyDo(t, () => pki.stop())
  return { pki, folder, clock, logged }
}

/** The certificates of a PEM file, in order. */
export function certificatesOf(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one),
  )
}

/** The first certificate: the leaf of a chain. */
export function firstOf(pem: string): X509Certificate {
  const [first] = certificatesOf(pem)
  if (!first) throw new Error('no certificate')
  return first
}
