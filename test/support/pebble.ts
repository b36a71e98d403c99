/** Pebble, the ACME server that Let's Encrypt tests clients against, on loopback. */
import { writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCertificate } from './certificates.ts'
import { freePort } from './free-port.ts'
import { missing, start } from './processes.ts'
import { type Cleanup, tempFolder } from './temp.ts'
import { until } from './until.ts'

const PEBBLE = '/usr/bin/pebble'
const NAMES = '/usr/bin/pebble-challtestsrv'

/** Why tests with Pebble cannot run here, or false. */
export const withoutPebble = (): string | false => missing(PEBBLE, NAMES, '/usr/bin/openssl')

export interface Pebble {
  directory: string
  /** PEM file: who vouches for the directory itself. */
  ca: string
  /** The root of the certificates it issues; another one after each start. */
  root: () => Promise<string>
  output(): string
  stop(): Promise<void>
}

export interface PebbleOptions {
  /** Where it looks for proofs over HTTP, whatever the host: every name is 127.0.0.1 to it. */
  httpPort: number
  /** And for proofs over TLS. */
  tlsPort?: number
  /** Good nonces that it refuses, in percent. */
  refuseNonces?: number
  /** HMAC keys in base64url by identifier; with them every account has to be bound to one. */
  bindings?: Record<string, string>
  validitySeconds?: number
  chainLength?: number
}

async function get(url: string, ca: Buffer): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const req = request(url, { ca, agent: false }, (res) => {
    const chunks: Buffer[] = []
    res.on('data', (chunk: Buffer) => chunks.push(chunk))
    res.on('end', () => resolve(Buffer.concat(chunks).toString()))
  })
  req.on('error', reject)
  req.end()
  return promise
}

export async function startPebble(t: Cleanup, options: PebbleOptions): Promise<Pebble> {
  const folder = await tempFolder(t, 'pebble')
  const { key, certificate, ca } = await createCertificate(t, ['localhost'], ['127.0.0.1'])
  const [listen, manage, dns] = [await freePort(), await freePort(), await freePort()]
  const config = {
    listenAddress: `127.0.0.1:${listen}`,
    managementListenAddress: `127.0.0.1:${manage}`,
    certificate,
    privateKey: key,
    httpPort: options.httpPort,
    tlsPort: options.tlsPort ?? 1,
    ocspResponderURL: '',
    externalAccountBindingRequired: options.bindings !== undefined,
    externalAccountMACKeys: options.bindings ?? {},
    certificateValidityPeriod: options.validitySeconds ?? 90 * 86_400,
  }
  const file = join(folder, 'pebble.json')
  await writeFile(file, JSON.stringify({ pebble: config }))
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-management', '']
  const names = ['-dns01', `127.0.0.1:${dns}`, '-defaultIPv4', '127.0.0.1', '-defaultIPv6', '']
  start(t, NAMES, [...off, ...names])
  const pebble = start(
    t,
    PEBBLE,
    ['-config', file, '-dnsserver', `127.0.0.1:${dns}`, '-strict', 'true'],
    {
      env: {
        ...process.env,
        PEBBLE_VA_NOSLEEP: '1',
        PEBBLE_WFE_NONCEREJECT: String(options.refuseNonces ?? 0),
        PEBBLE_AUTHZREUSE: '0',
        PEBBLE_CHAIN_LENGTH: String(options.chainLength ?? 1),
      },
    },
  )
  const roots = readFileSync(ca)
  const directory = `https://127.0.0.1:${listen}/dir`
  await until('pebble', async () => (await get(directory, roots)).includes('newOrder'))
  return {
    directory,
    ca,
    root: () => get(`https://127.0.0.1:${manage}/roots/0`, roots),
    output: () => pebble.output(),
    stop: () => pebble.stop(),
  }
}
