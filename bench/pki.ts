/**
 * Leaves a second, beside the openssl program that signs the same for a script; and how much longer the
 * first https request to a host takes than the next one, with the leaf made within the handshake.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, get } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { systemClock } from '../src/base/ports/clock.ts'
import type { CertAuthority } from '../src/base/ports/cert-issuer.ts'
import { silentLog } from '../src/base/ports/log.ts'
import { createPki } from '../src/engines/pki/index.ts'
import { pkiOptions, siteHost } from '../test/engines/pki/open-pki.ts'
import { output } from '../test/support/processes.ts'
import { type Bench, bench, median } from './runner.ts'

const OURS = 5000
const THEIRS = 60
const HOSTS = 60
const ROUNDS = 3

async function ownRate(pki: CertAuthority, from: number): Promise<number> {
  const since = performance.now()
  for (let i = 0; i < OURS; i++) await pki.leaf(siteHost(from + i))
  return OURS / ((performance.now() - since) / 1000)
}

/** What a script does: a request and a signature, with the key made before. */
async function opensslRate(folder: string): Promise<number> {
  const file = (name: string) => join(folder, name)
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/O=bench',
  ]
  const ca = ['-keyout', file('ca.key'), '-out', file('ca.pem')]
  await output('/usr/bin/openssl', ['req', '-x509', ...key, ...ca])
  await output('/usr/bin/openssl', ['req', ...key, '-keyout', file('k'), '-out', file('csr')])
  const since = performance.now()
  for (let i = 0; i < THEIRS; i++) {
    await writeFile(file('ext'), `subjectAltName=DNS:${siteHost(i)}\n`)
    const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
    const what = ['-req', '-in', file('csr'), '-extfile', file('ext'), '-days', '90']
    await output('/usr/bin/openssl', ['x509', ...what, ...signer, '-out', file('leaf.pem')])
  }
  return THEIRS / ((performance.now() - since) / 1000)
}

async function serve(run: Bench, pki: CertAuthority): Promise<number> {
  const { cert, key } = await pki.fallback()
  const server = createServer(
    {
      cert,
      key,
      SNICallback: (host, use) => {
        const answer = async () => use(null, createSecureContext(await pki.leaf(host)))
        answer().catch(use)
      },
    },
    (_request, response) => response.end('hello'),
  )
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  run.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Milliseconds of one request over a connection of its own. */
function ask(host: string, port: number, ca: string): Promise<number> {
  const since = performance.now()
  return new Promise((done, failed) => {
    const options = { host: '127.0.0.1', port, ca, servername: host, agent: false }
    get({ ...options, headers: { host } }, (response) => {
      response.resume().once('end', () => done(performance.now() - since))
    }).once('error', failed)
  })
}

await bench('pki', async (run) => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-pki-'))
  run.after(() => rm(folder, { recursive: true, force: true }))
  const rates = { leaves_per_second: 10_000, leaf_burst: 100_000 }
  const deps = { log: silentLog, clock: systemClock, folder: join(folder, 'pki') }
  const pki = createPki(deps, { ...pkiOptions, ...rates })
  await pki.start(new AbortController().signal)
  run.after(() => pki.stop())

  const ours: number[] = []
  const theirs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await ownRate(pki, round * OURS))
    theirs.push(await opensslRate(folder))
  }
  run.report({ what: 'leaves', value: median(ours), unit: 'a second', atLeast: 300 })
  run.report({ what: 'openssl x509', value: median(theirs), unit: 'a second' })
  run.report({ what: 'ratio', value: median(ours) / median(theirs), unit: 'x', atLeast: 3 })

  const port = await serve(run, pki)
  const { pem } = await pki.root()
  const offset = randomBytes(4).readUInt32BE() + OURS * ROUNDS
  await ask('btlink', port, pem)
  const extra: number[] = []
  for (let i = 0; i < HOSTS; i++) {
    const first = await ask(siteHost(offset + i), port, pem)
    extra.push(first - (await ask(siteHost(offset + i), port, pem)))
  }
  run.report({ what: 'first request to a host', value: median(extra), unit: 'ms more', atMost: 30 })
  run.report({ what: 'of 60, the slowest', value: Math.max(...extra), unit: 'ms more' })
})
