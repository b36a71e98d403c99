/** TCP, TLS and HTTPS: kept connections, certificates, servers known by name. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { CLASS, TYPE } from '../../../src/base/dns/codes.ts'
import { decodeMessage } from '../../../src/base/dns/decode-message.ts'
import type { DnsQuestion } from '../../../src/base/ports/dns-upstream.ts'
import { type Certificate, createCertificate, OPENSSL } from '../../support/certificates.ts'
import { missing } from '../../support/processes.ts'
import { address, named } from '../../support/dns-zone.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { startUpstream } from './config.ts'
import { bytesOf, honest, type Seen, startRogue } from './rogue-server.ts'

const WEB: DnsQuestion = { name: named('web.example.test'), type: TYPE.A, class: CLASS.IN }
const portOf = (place: unknown): number =>
  typeof place === 'object' && place !== null && 'port' in place ? Number(place.port) : 0

function seenOf(bytes: Uint8Array): Seen {
  const decoded = decodeMessage(bytes)
  assert.ok(decoded.ok)
  return { message: decoded.message, transport: 'tcp', port: 0, bytes }
}

async function startDot(t: Cleanup, { key, certificate }: Certificate) {
  const seen: Seen[] = []
  let connections = 0
  const server = createTlsServer(
    { key: readFileSync(key), cert: readFileSync(certificate), ALPNProtocols: ['dot'] },
    (socket) => {
      connections++
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        const one = seenOf(chunk.subarray(2))
        seen.push(one)
        const answer = bytesOf(honest(one))
        socket.write(
          Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]),
        )
      })
    },
  )
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  finallyDo(t, () => void server.close())
  return { port: portOf(server.address()), seen, connections: () => connections }
}

interface HttpsAnswer {
  status?: number
  type?: string
  body?: (seen: Seen) => Uint8Array
}

async function startDoh(t: Cleanup, { key, certificate }: Certificate, answer: HttpsAnswer = {}) {
  const seen: (Seen & { headers: Record<string, unknown> })[] = []
  let sessions = 0
  const server = createSecureServer({ key: readFileSync(key), cert: readFileSync(certificate) })
  server.on('session', (session) => {
    sessions++
    finallyDo(t, () => session.destroy())
  })
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const one = seenOf(Buffer.concat(chunks))
      seen.push({ ...one, headers })
      stream.respond({
        ':status': answer.status ?? 200,
        'content-type': answer.type ?? 'application/dns-message',
      })
      stream.end(answer.body?.(one) ?? bytesOf(honest(one)))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  finallyDo(t, () => void server.close())
  return { port: portOf(server.address()), seen, sessions: () => sessions }
}

describe('a question over TCP', () => {
  it('shares one connection with others, whose answers come in any order', async (t) => {
    const held: (() => void)[] = []
    const server = await startRogue(t, (seen, reply) => {
      held.push(() => reply(bytesOf(honest(seen))))
      if (held.length === 3) for (const answer of held.toReversed()) answer()
    })
    const upstream = await startUpstream(t, { servers: [`tcp://127.0.0.1:${server.port}`] })
    const names = ['web.example.test', 'www.example.test', 'nothing.example.test']
    const answers = await Promise.all(
      names.map(async (name) => upstream.ask({ ...WEB, name: named(name) })),
    )
    assert.deepEqual(
      answers.map(({ message }) => message.rcode),
      [0, 0, 3],
    )
    assert.equal(server.connections(), 1)
  })

  it('is asked again where the server closed the kept connection just then', async (t) => {
    let isLosing = false
    const server = await startRogue(t, (seen, reply) => {
      if (isLosing) {
        isLosing = false
        server.hangUp()
      } else reply(bytesOf(honest(seen)))
    })
    const upstream = await startUpstream(t, { servers: [`tcp://127.0.0.1:${server.port}`] })
    await upstream.ask(WEB)
    isLosing = true
    assert.equal((await upstream.ask(WEB)).message.rcode, 0)
    assert.equal(server.connections(), 2)
    assert.equal(upstream.servers()[0]?.failed, 0)
  })

  it('fails where the server hangs up every time', async (t) => {
    const server = await startRogue(t, () => server.hangUp())
    const upstream = await startUpstream(t, { servers: [`tcp://127.0.0.1:${server.port}`] })
    await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
  })

  it('is not padded, for everyone can read it', async (t) => {
    const server = await startRogue(t, (seen, reply) => reply(bytesOf(honest(seen))))
    const upstream = await startUpstream(t, { servers: [`tcp://127.0.0.1:${server.port}`] })
    await upstream.ask(WEB)
    assert.deepEqual(server.seen[0]?.message.edns?.options, [])
  })
})

describe('a question over TLS', { skip: missing(OPENSSL) }, () => {
  it('goes to a server known by name, whose address the bootstrap server tells', async (t) => {
    const certificate = await createCertificate(t, ['dns.example.test'], [])
    const dot = await startDot(t, certificate)
    const bootstrap = await startRogue(t, (seen, reply) => {
      const [question] = seen.message.questions
      const name = question?.name ?? named('x')
      const answers = [{ name, type: TYPE.A, class: CLASS.IN, ttl: 0, data: address('127.0.0.1') }]
      reply(bytesOf(honest(seen, { rcode: 0, answers, authority: [] })))
    })
    const upstream = await startUpstream(t, {
      servers: [`tls://dns.example.test:${dot.port}`],
      bootstrap: [`127.0.0.1:${bootstrap.port}`],
      ca_file: certificate.ca,
    })
    const answer = await upstream.ask(WEB)
    assert.equal(answer.transport, 'tls')
    assert.equal(answer.isTrusted, true)
    assert.equal(answer.message.answers.length, 1)
    for (let round = 0; round < 3; round++) await upstream.ask(WEB)
    assert.equal(dot.connections(), 1)
    assert.equal(bootstrap.seen.length, 1, 'the address is not remembered')
    assert.equal((dot.seen[0]?.bytes.length ?? 0) % 128, 0, 'not padded')
  })

  it('goes to no server whose certificate is for another name', async (t) => {
    const certificate = await createCertificate(t, ['dns.example.test'], ['127.0.0.1'])
    const dot = await startDot(t, certificate)
    const upstream = await startUpstream(t, {
      servers: [`tls://127.0.0.1:${dot.port}#other.example.test`],
      ca_file: certificate.ca,
    })
    await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
    assert.equal(dot.seen.length, 0)
  })

  it('goes to no server whose authority nobody knows', async (t) => {
    const certificate = await createCertificate(t, ['dns.example.test'], ['127.0.0.1'])
    const dot = await startDot(t, certificate)
    const upstream = await startUpstream(t, { servers: [`tls://127.0.0.1:${dot.port}`] })
    await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
    assert.equal(dot.seen.length, 0)
  })

  it('fails where no bootstrap server knows the address', async (t) => {
    const bootstrap = await startRogue(t, (seen, reply) => reply(bytesOf(honest(seen))))
    const upstream = await startUpstream(t, {
      servers: ['tls://nothing.example.test'],
      bootstrap: [`127.0.0.1:${bootstrap.port}`],
    })
    await assert.rejects(upstream.ask(WEB), /nothing\.example\.test has no address/)
  })
})

describe('a question over HTTPS', { skip: missing(OPENSSL) }, () => {
  it('is posted with id 0, padded, over one kept connection', async (t) => {
    const certificate = await createCertificate(t, ['dns.example.test'], ['127.0.0.1'])
    const doh = await startDoh(t, certificate)
    const upstream = await startUpstream(t, {
      servers: [`https://127.0.0.1:${doh.port}/resolve#dns.example.test`],
      ca_file: certificate.ca,
    })
    const answers = await Promise.all([upstream.ask(WEB), upstream.ask(WEB)])
    assert.deepEqual(
      answers.map((answer) => [answer.transport, answer.isTrusted, answer.message.answers.length]),
      [
        ['https', true, 1],
        ['https', true, 1],
      ],
    )
    await upstream.ask(WEB)
    const [first] = doh.seen
    assert.equal(first?.headers[':method'], 'POST')
    assert.equal(first?.headers[':path'], '/resolve')
    assert.equal(first?.headers[':authority'], `dns.example.test:${doh.port}`)
    assert.equal(first?.message.id, 0)
    assert.equal((first?.bytes.length ?? 0) % 128, 0)
    assert.equal(doh.sessions(), 1)
  })

  for (const [what, answer] of [
    ['with a status of failure', { status: 503 }],
    ['that is a web page', { type: 'text/html' }],
    ['that is no message', { body: () => new Uint8Array(20) }],
    ['that is longer than a message', { body: () => new Uint8Array(70_000) }],
    [
      'to another question',
      {
        body: (seen: Seen) =>
          bytesOf(honest(seen, { questions: [{ ...WEB, name: named('bank.example.test') }] })),
      },
    ],
  ] as const) {
    it(`has no answer ${what}`, async (t) => {
      const certificate = await createCertificate(t, [], ['127.0.0.1'])
      const doh = await startDoh(t, certificate, answer)
      const upstream = await startUpstream(t, {
        servers: [`https://127.0.0.1:${doh.port}`],
        ca_file: certificate.ca,
      })
      await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
    })
  }

  it('fails where the server does not speak HTTP/2', async (t) => {
    const certificate = await createCertificate(t, [], ['127.0.0.1'])
    const dot = await startDot(t, certificate)
    const upstream = await startUpstream(t, {
      servers: [`https://127.0.0.1:${dot.port}`],
      ca_file: certificate.ca,
    })
    await assert.rejects(upstream.ask(WEB), { code: 'BTL_ERR_UPSTREAM_DNS_UNREACHABLE' })
  })
})
