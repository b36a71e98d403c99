/** Certificates of an authority that only a test knows. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { output } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'

export interface Certificate {
  /** PEM files. */
  key: string
  certificate: string
  ca: string
}

export const OPENSSL = '/usr/bin/openssl'

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** A leaf for these names and addresses, signed by a fresh authority; valid for a day. */
export async function createCertificate(
  t: Cleanup,
  names: readonly string[],
  addresses: readonly string[],
): Promise<Certificate> {
  const folder = await tempFolder(t, 'btl-cert')
  const at = (file: string) => join(folder, file)
  const openssl = async (...args: string[]) => output(OPENSSL, args)
  await openssl(
    'req',
    '-x509',
    ...EC,
    '-days',
    '1',
    '-subj',
    '/CN=test authority',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  )
  await openssl(
    'req',
    ...EC,
    '-subj',
    '/CN=test',
    '-keyout',
    at('leaf.key'),
    '-out',
    at('leaf.csr'),
  )
  const san = [...names.map((name) => `DNS:${name}`), ...addresses.map((one) => `IP:${one}`)]
  await writeFile(at('leaf.ext'), `subjectAltName=${san.join(',')}\nextendedKeyUsage=serverAuth\n`)
  await openssl(
    'x509',
    '-req',
    '-days',
    '1',
    '-in',
    at('leaf.csr'),
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
    '-extfile',
    at('leaf.ext'),
    '-out',
    at('leaf.pem'),
  )
  return { key: at('leaf.key'), certificate: at('leaf.pem'), ca: at('ca.pem') }
}
