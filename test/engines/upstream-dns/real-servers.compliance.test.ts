/** The engine against DNS servers of Debian, over every transport. */
import { after, before, describe } from 'node:test'
import { complyAsDnsUpstream } from '../../compliance/dns-upstream.ts'
import {
  startDnsmasq,
  startKnot,
  startNsd,
  startUnbound,
  withoutServers,
} from '../../support/dns-servers.ts'
import { freePort } from '../../support/free-port.ts'
import { createCertificate, OPENSSL } from '../../support/certificates.ts'
import { missing } from '../../support/processes.ts'
import type { Cleanup } from '../../support/temp.ts'
import type { UpstreamDnsConfig } from '../../../src/engines/upstream-dns/index.ts'
import { createTestUpstream } from './config.ts'

const cleanups: (() => void | Promise<void>)[] = []
const forAll: Cleanup = { after: (fn) => void cleanups.push(fn) }
const ports = { knot: 0, nsd: 0, unbound: 0, dnsmasq: 0, dot: 0, doh: 0 }
let caFile = ''

const through = (what: string, config: () => Partial<UpstreamDnsConfig>) => {
  complyAsDnsUpstream(`the engine with ${what}`, async () => {
    const upstream = createTestUpstream(config())
    return { upstream, stop: async () => upstream.stop() }
  })
}

describe('the engine with servers of Debian', {
  skip: withoutServers() || missing(OPENSSL),
}, () => {
  before(async () => {
    const knot = await startKnot(forAll)
    const nsd = await startNsd(forAll)
    const certificate = await createCertificate(forAll, ['dns.example.test'], ['127.0.0.1'])
    caFile = certificate.ca
    ports.dot = await freePort()
    ports.doh = await freePort()
    const unbound = await startUnbound(forAll, {
      authority: knot.port,
      tls: { ...certificate, dotPort: ports.dot, dohPort: ports.doh },
    })
    const dnsmasq = await startDnsmasq(forAll, knot.port)
    Object.assign(ports, {
      knot: knot.port,
      nsd: nsd.port,
      unbound: unbound.port,
      dnsmasq: dnsmasq.port,
    })
  })
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  })

  through('knot over UDP', () => ({ servers: [`127.0.0.1:${ports.knot}`] }))
  through('nsd over UDP', () => ({ servers: [`127.0.0.1:${ports.nsd}`] }))
  through('unbound over UDP', () => ({ servers: [`127.0.0.1:${ports.unbound}`] }))
  through('dnsmasq over UDP', () => ({ servers: [`127.0.0.1:${ports.dnsmasq}`] }))
  through('knot over TCP', () => ({ servers: [`tcp://127.0.0.1:${ports.knot}`] }))
  through('unbound over TLS', () => ({
    servers: [`tls://127.0.0.1:${ports.dot}#dns.example.test`],
    ca_file: caFile,
  }))
  through('unbound over HTTPS', () => ({
    servers: [`https://127.0.0.1:${ports.doh}/dns-query`],
    ca_file: caFile,
  }))
  through('two servers at once', () => ({
    servers: [`127.0.0.1:${ports.knot}`, `127.0.0.1:${ports.unbound}`],
    strategy: 'parallel',
  }))
  through('the fastest of two', () => ({
    servers: [`127.0.0.1:${ports.knot}`, `127.0.0.1:${ports.nsd}`],
    strategy: 'fastest',
  }))
})
