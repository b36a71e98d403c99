/**
 * TLS servers on loopback, a port each, with chains that a device which trusts our root has to take or
 * refuse. The bad ones are what a thief of the box could sign: they have the key of the intermediate.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Authority, readAuthority } from '../../../src/engines/pki/authority.ts'
import {
  altNames,
  intermediateExtensions,
  leafExtensions,
  signCertificate,
  subjectName,
  toPem,
} from '../../../src/engines/pki/certificate.ts'
import { implicit, objectIdentifier, octetString, sequence } from '../../../src/base/der.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { DAY, KEY, openPki, siteHost } from './open-pki.ts'

export interface TrustCase {
  title: string
  /** What the client asks for. */
  host: string
  port: number
  isGood: boolean
  /** Java finds no fault with a wildcard right below a top-level domain. */
  isGoodForJava: boolean
}

export interface Verdict {
  taken: boolean
  /** Why not, in the client's words. */
  reason: string
}

/** Asks a client about each case, and compares whom it took and refused with whom it should. */
export async function compare(
  cases: readonly TrustCase[],
  ask: (one: TrustCase) => Promise<Verdict>,
): Promise<void> {
  const said: string[] = []
  const wanted: string[] = []
  for (const one of cases) {
    const { taken, reason } = await ask(one)
    const verdict = (isTaken: boolean) => `${isTaken ? 'takes' : 'refuses'} ${one.title}`
    wanted.push(verdict(one.isGood))
    said.push(taken === one.isGood ? verdict(taken) : `${verdict(taken)}: ${reason.slice(0, 300)}`)
  }
  assert.deepEqual(said, wanted)
}

export interface TrustCases {
  cases: TrustCase[]
  /** Path of the root's PEM. */
  rootFile: string
  linkRootFile: string
}

interface Chain {
  title: string
  host: string
  isGood: boolean
  isGoodForJava?: boolean
  cert: string
  key: string
}

interface Forged {
  hosts?: readonly string[]
  address?: Uint8Array
  common?: string
  notBefore?: number
  notAfter?: number
}

const SITE = siteHost(0xb71)
const LOOPBACK = Uint8Array.of(127, 0, 0, 1)

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const infoOf = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })

/** What leafs of an address have; our own writer of alternative names knows hosts only. */
function addressNames(hosts: readonly string[], address: Uint8Array): Buffer {
  const names = hosts.map((host) => implicit(2, Buffer.from(host, 'latin1')))
  return sequence(
    objectIdentifier('2.5.29.17'),
    octetString(sequence(...names, implicit(7, address))),
  )
}

type Signer = Pick<Authority['issuer'], 'subject' | 'publicKey' | 'key' | 'pem'>

function forge(issuer: Signer, what: Forged): { cert: string; key: string } {
  const keys = newKeys()
  const { hosts = [], address, common } = what
  const names = address ? [addressNames(hosts, address)] : hosts.length > 0 ? [altNames(hosts)] : []
  const der = signCertificate(
    {
      issuer: issuer.subject,
      subject: subjectName({
        organisation: 'thief',
        unit: 'thief',
        ...(common !== undefined && { common }),
      }),
      notBefore: what.notBefore ?? Date.now() - 2 * DAY,
      notAfter: what.notAfter ?? Date.now() + 30 * DAY,
      publicKey: infoOf(keys.publicKey),
      extensions: [...leafExtensions(keys.publicKey, issuer.publicKey), ...names],
    },
    issuer.key,
  )
  return {
    cert: toPem(der, 'CERTIFICATE') + issuer.pem,
    key: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

/** One more authority below the intermediate, for whatever names its maker likes. */
function lowerAuthority(issuer: Signer, permitted: readonly string[]): Signer {
  const keys = newKeys()
  const subject = subjectName({ organisation: 'thief', unit: 'thief', common: 'lower authority' })
  const der = signCertificate(
    {
      issuer: issuer.subject,
      subject,
      notBefore: Date.now() - 2 * DAY,
      notAfter: Date.now() + 300 * DAY,
      publicKey: infoOf(keys.publicKey),
      extensions: intermediateExtensions(keys.publicKey, issuer.publicKey, permitted),
    },
    issuer.key,
  )
  const pem = toPem(der, 'CERTIFICATE') + issuer.pem
  return { subject, publicKey: keys.publicKey, key: keys.privateKey, pem }
}

async function issuerIn(place: string): Promise<Signer> {
  const files = new Map<string, string>()
  for (const name of await readdir(place)) {
    files.set(name, await readFile(join(place, name), 'utf8'))
  }
  return readAuthority(files).issuer
}

async function serve(t: Cleanup, { cert, key, title }: Chain): Promise<number> {
  const server = createServer({ cert, key }, (_request, response) => {
    response.end(`<!doctype html><title>${title}</title>`)
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

export async function trustCases(t: Cleanup): Promise<TrustCases> {
  const linkDomain = 'chromecast.example'
  const { pki, folder } = await openPki(t, { now: Date.now(), link_domains: [linkDomain] })
  const issuer = await issuerIn(join(folder, 'names', 'btlink', '1'))
  const links = await issuerIn(join(folder, 'links', '1'))
  const bad = (title: string, host: string, from: Forged, by: Signer = issuer): Chain => ({
    title,
    host,
    isGood: false,
    ...forge(by, from),
  })
  const good = async (title: string, host: string, asked = host): Promise<Chain> => ({
    title,
    host,
    isGood: true,
    ...(await pki.leaf(asked)),
  })
  const chains: Chain[] = [
    await good('a torrent', SITE),
    await good('a key', `${KEY}-pk.btlink`),
    await good('a salt of a key', `blog.${KEY}-pk.btlink`),
    await good('a salt in hex', `x00ff.${KEY}-pk.btlink`),
    await good('two salts of a key', `a.b.${KEY}-pk.btlink`),
    await good('a salt in the label of the key', `blog-${KEY}-pk.btlink`),
    await good(
      'another salt over the same certificate',
      `other.${KEY}-pk.btlink`,
      `${KEY}-pk.btlink`,
    ),
    await good('a page of the box', 'setup.btlink'),
    { title: 'the top-level label alone', host: 'btlink', isGood: true, ...(await pki.fallback()) },
    { title: 'a leaf for another server', host: SITE, isGood: true, ...(await pki.issue([SITE])) },
    {
      title: 'another host than asked for',
      host: siteHost(2),
      isGood: false,
      ...(await pki.leaf(SITE)),
    },
    bad('a foreign domain', 'example.com', { hosts: ['example.com'] }),
    bad('a foreign domain beside a site', SITE, { hosts: [SITE, 'example.com'] }),
    bad('a domain that ends in the same letters', 'evilbtlink', { hosts: ['evilbtlink'] }),
    bad('an address', '127.0.0.1', { address: LOOPBACK }),
    bad('an address beside a site', SITE, { hosts: [SITE], address: LOOPBACK }),
    bad('a foreign domain below ours by name only', 'btlink.example.com', {
      hosts: ['btlink.example.com'],
    }),
    {
      ...bad('all of the top-level domain', 'x.btlink', { hosts: ['*.btlink'] }),
      isGoodForJava: true,
    },
    bad('a foreign domain by its common name', 'example.com', { common: 'example.com' }),
    bad('a site that ended', SITE, {
      hosts: [SITE],
      notBefore: Date.now() - 90 * DAY,
      notAfter: Date.now() - DAY,
    }),
    bad('a site that has not begun', SITE, { hosts: [SITE], notBefore: Date.now() + 5 * DAY }),
    bad('a site by a lower authority', SITE, { hosts: [SITE] }, lowerAuthority(issuer, ['btlink'])),
    bad(
      'a foreign domain by a lower authority',
      'example.com',
      { hosts: ['example.com'] },
      lowerAuthority(issuer, ['com']),
    ),
    bad('a site by the authority of the link domains', SITE, { hosts: [SITE] }, links),
    bad(
      'a link domain by its own authority, which is not trusted',
      linkDomain,
      { hosts: [linkDomain] },
      links,
    ),
  ]
  const cases: TrustCase[] = []
  for (const chain of chains) {
    const { title, host, isGood, isGoodForJava = isGood } = chain
    cases.push({ title, host, isGood, isGoodForJava, port: await serve(t, chain) })
  }
  const rootFile = join(folder, 'root.pem')
  const linkRootFile = join(folder, 'link-root.pem')
  await writeFile(rootFile, (await pki.root()).pem)
  await writeFile(linkRootFile, (await pki.root('links')).pem)
  return { cases, rootFile, linkRootFile }
}
