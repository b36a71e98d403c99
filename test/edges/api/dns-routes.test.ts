import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import fastify from 'fastify'
import { CLASS, FLAG, RCODE } from '../../../src/base/dns/codes.ts'
import { decodeQuery } from '../../../src/base/dns/decode-query.ts'
import { extendedErrorOption, ourEdns } from '../../../src/base/dns/edns.ts'
import { encodeMessage } from '../../../src/base/dns/encode-message.ts'
import type { HouseDns } from '../../../src/base/ports/house-dns.ts'
import { dnsRoutes } from '../../../src/edges/api/dns-routes.ts'

type Dns = Pick<HouseDns, 'answer' | 'explain'>

/** Answers every query with SERVFAIL and a reason. */
function replyTo(packet: Uint8Array): Uint8Array | undefined {
  const query = decodeQuery(packet)
  if (query.kind !== 'query') return undefined
  return encodeMessage({
    id: 0,
    flags: FLAG.QR | FLAG.RD | FLAG.RA,
    rcode: RCODE.SERVFAIL,
    questions: [{ name: query.name, type: query.type, class: CLASS.IN }],
    answers: [],
    authority: [],
    additional: [],
    edns: ourEdns([extendedErrorOption({ code: 22, text: 'nobody is there' })]),
  }).bytes
}

const failing: Dns = {
  answer: async (packet) => replyTo(packet),
  explain: async (packet) => ({ handler: 'forward', reply: replyTo(packet) }),
}

async function ask(dns: Dns | undefined, query: Record<string, string>) {
  const app = fastify()
  dnsRoutes(app, { dns })
  const answer = await app.inject({ path: '/api/dns', query })
  await app.close()
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}

describe('/api/dns', () => {
  it('says what failed and why', async () => {
    const { status, body } = await ask(failing, { name: 'a.example', type: 'mx', dnssec: 'true' })
    assert.equal(status, 200)
    const { name, type, rcode, rule, errors } = body
    assert.deepEqual([name, type, rcode, rule], ['a.example.', 'MX', 'SERVFAIL', 'forward'])
    assert.deepEqual(errors, [{ code: 22, text: 'nobody is there' }])
  })

  it('has the answer also where no rule can be told', async () => {
    const lost: Dns = { ...failing, explain: () => Promise.reject(new Error('gone')) }
    for (const dns of [lost, { ...failing, explain: async () => undefined }]) {
      const { status, body } = await ask(dns, { name: 'a.example' })
      assert.deepEqual([status, body['rcode'], body['rule']], [200, 'SERVFAIL', undefined])
    }
  })

  it('is 404 without a resolver, and 502 where it is silent or speaks nonsense', async () => {
    const { status, body } = await ask(undefined, { name: 'a.example' })
    assert.deepEqual([status, body['code']], [404, 'BTL_ERR_API_NO_RESOLVER'])
    for (const reply of [undefined, new Uint8Array(0), Uint8Array.of(1, 2, 3)]) {
      const silent = await ask({ ...failing, answer: async () => reply }, { name: 'a.example' })
      assert.deepEqual([silent.status, silent.body['code']], [502, 'BTL_ERR_API_RESOLVER_SILENT'])
    }
  })

  it('takes any text for a name or type, and answers or refuses it', async () => {
    const app = fastify()
    dnsRoutes(app, { dns: failing })
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.stringMatching(/^[a-z.\\0-9]{0,300}$/),
    )
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.oneof(fc.constantFrom('A', 'TYPE0', 'any'), text),
        async (name, type) => {
          const { statusCode } = await app.inject({ path: '/api/dns', query: { name, type } })
          assert.ok(statusCode === 200 || statusCode === 400, String(statusCode))
        },
      ),
      { numRuns: 500 },
    )
    await app.close()
  })
})
