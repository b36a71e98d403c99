import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { missing } from '../../support/processes.ts'
import { finallyDo, type Cleanup } from '../../support/temp.ts'
import {
  type Asked,
  type Authority,
  authorization,
  HOST,
  order,
  problem,
  type Script,
  send,
  startAuthority,
} from './authority.ts'
import { HOUR, type OpenAcme, openAcme, type OpenOptions } from './open-acme.ts'

type Opened = OpenAcme & { authority: Authority }

/** A box whose one order has ended. */
async function orderFrom(t: Cleanup, script: Script, more: OpenOptions = {}): Promise<Opened> {
  const authority = await startAuthority(t, script)
  const opened = await openAcme(t, {
    directory: authority.directory,
    authority_ca: authority.ca,
    hosts: [HOST],
    ...more,
  })
  await opened.acme.renewDue()
  return { ...opened, authority }
}

const reasonOf = async ({ acme }: OpenAcme): Promise<string> => (await acme.health()).detail ?? ''

/** Says what `more` has in place of the order's own. */
const orders =
  (more: object) =>
  ({ res, origin }: Asked) =>
    send(res, 201, { ...order(origin, 'pending'), ...more }, { Location: `${origin}/order` })

const authorizations =
  (more: object) =>
  ({ res, origin }: Asked) =>
    send(res, 200, { ...authorization(origin, 'pending'), ...more })

const challenge = (more: object) => (asked: Asked) =>
  authorizations({
    challenges: [{ type: 'http-01', url: `${asked.origin}/challenge`, token: 'abc', ...more }],
  })(asked)

const raw =
  (status: number, body: string, headers = {}) =>
  ({ res }: Asked) =>
    send(res, status, body, headers)

const REFUSALS: [what: string, script: Script, reason: RegExp][] = [
  ['a directory that is a page', { '/directory': raw(200, '<html>') }, /directory is not JSON/],
  ['a directory that is a list', { '/directory': raw(200, '[]') }, /directory is not an object/],
  [
    'a directory in bad UTF-8',
    { '/directory': ({ res }: Asked) => void res.end(Buffer.of(0x22, 0xff, 0x22)) },
    /not JSON/,
  ],
  [
    'a directory without orders',
    { '/directory': { newNonce: 'x', newAccount: 'y' } },
    /no "newOrder"/,
  ],
  ['a directory that is gone', { '/directory': raw(410, '') }, /status 410/],
  [
    'a directory without end',
    { '/directory': raw(200, 'x'.repeat(200_000)) },
    /more than 131072 bytes/,
  ],
  [
    'a directory that leads into the house',
    { '/directory': { newNonce: 'https://192.168.1.1/', newAccount: 'a', newOrder: 'b' } },
    /leads to "https:\/\/192\.168\.1\.1\/"/,
  ],
  [
    'a redirect',
    { '/directory': raw(302, '', { Location: 'http://169.254.169.254/' }) },
    /a redirect \(302\)/,
  ],
  [
    'no nonce',
    {
      '/nonce': ({ res }: Asked) => {
        res.removeHeader('Replay-Nonce')
        send(res, 200, '')
      },
      '/directory': ({ res, origin }: Asked) => {
        res.removeHeader('Replay-Nonce')
        send(res, 200, {
          newNonce: `${origin}/nonce`,
          newAccount: `${origin}/account`,
          newOrder: `${origin}/orders`,
        })
      },
    },
    /gives no nonce/,
  ],
  [
    'a nonce that is none',
    { '/nonce': raw(200, '', { 'Replay-Nonce': 'a"b' }) },
    /nonce is not base64url/,
  ],
  [
    'nonces that are never good',
    { '/account': raw(400, JSON.stringify(problem('badNonce', 'again'))) },
    /badNonce: again/,
  ],
  ['an account without an address', { '/account': raw(201, '{}') }, /account has no address/],
  [
    'no account',
    { '/account': raw(403, JSON.stringify(problem('unauthorized', 'terms'))) },
    /refused \/account: unauthorized: terms/,
  ],
  [
    'an order without an address',
    { '/orders': ({ res, origin }: Asked) => send(res, 201, order(origin, 'pending')) },
    /order has no address/,
  ],
  [
    'an order with other words for its state',
    { '/orders': orders({ status: 'later' }) },
    /order is "later"/,
  ],
  ['an order with a state that is a number', { '/orders': orders({ status: 1 }) }, /no "status"/],
  [
    'an order that wants a hundred proofs and one',
    { '/orders': orders({ authorizations: Array.from({ length: 101 }, () => 'x') }) },
    /more than 100 authorizations/,
  ],
  [
    'an order whose proofs are elsewhere',
    { '/orders': orders({ authorizations: ['https://127.0.0.1:1/'] }) },
    /leads to "https:\/\/127\.0\.0\.1:1\/"/,
  ],
  [
    'an order whose proofs are files',
    { '/orders': orders({ authorizations: ['file:///etc/passwd'] }) },
    /leads to "file:/,
  ],
  [
    'an order that failed without a word',
    { '/order': ({ res, origin }: Asked) => send(res, 200, order(origin, 'invalid')) },
    /refused the order for gw\.example: it does not say why/,
  ],
  [
    'an order that was filled before',
    { '/order': ({ res, origin }: Asked) => send(res, 200, order(origin, 'valid')) },
    /finished by somebody else/,
  ],
  [
    'a proof for another host',
    { '/authorization': authorizations({ identifier: { type: 'dns', value: 'bank.example' } }) },
    /proof of "bank\.example"/,
  ],
  [
    'a proof for nobody',
    { '/authorization': authorizations({ identifier: 'gw.example' }) },
    /no "identifier"/,
  ],
  [
    'a proof by a way that we do not have',
    { '/authorization': challenge({ type: 'dns-01' }) },
    /does not take proof by http-01/,
  ],
  [
    'a token that is a path',
    { '/authorization': challenge({ token: '../../root' }) },
    /token is not base64url/,
  ],
  [
    'a token that ends a line',
    { '/authorization': challenge({ token: 'a\r\nb' }) },
    /token is not base64url/,
  ],
  [
    'a token as long as a book',
    { '/authorization': challenge({ token: 'x'.repeat(257) }) },
    /token is not base64url/,
  ],
  [
    'a challenge elsewhere',
    { '/authorization': challenge({ url: 'https://10.0.0.1/' }) },
    /leads to "https:\/\/10\.0\.0\.1\/"/,
  ],
  [
    'a proof that failed',
    {
      '/authorization': (asked: Asked) =>
        authorizations({
          status: 'invalid',
          challenges: [
            {
              type: 'http-01',
              url: `${asked.origin}/challenge`,
              token: 'abc',
              error: problem('dns', 'no such name'),
            },
          ],
        })(asked),
    },
    /refused the proof for "gw\.example": dns: no such name/,
  ],
  [
    'no address of the certificate',
    { '/finalize': ({ res, origin }: Asked) => send(res, 200, order(origin, 'valid')) },
    /order has no certificate/,
  ],
  [
    'a certificate elsewhere',
    {
      '/finalize': ({ res, origin }: Asked) =>
        send(res, 200, order(origin, 'valid', { certificate: 'https://localhost/' })),
    },
    /leads to "https:\/\/localhost\/"/,
  ],
  ['a certificate for another key', {}, /cannot be used: it is for another key/],
  ['a certificate that is a page', { '/certificate': raw(200, '<html>') }, /it is no certificate/],
  ['a refusal as a page of HTML', { '/orders': raw(503, '<h1>busy</h1>') }, /status 503/],
  [
    'a refusal with control characters',
    { '/orders': raw(400, JSON.stringify(problem('x', 'a\r\nb\u001b[31m'))) },
    /x: a\?\?b\?\[31m/,
  ],
  [
    'a connection that ends',
    { '/orders': ({ res }: Asked) => void res.destroy() },
    /cannot be asked for .*orders: socket hang up/,
  ],
]

describe('an authority that does it wrong', { skip: missing('/usr/bin/openssl') }, () => {
  for (const [what, script, reason] of REFUSALS) {
    it(`is refused: ${what}`, async (t) => {
      const opened = await orderFrom(t, script, { order_timeout: 5000 })
      assert.equal(opened.acme.leaf(HOST), undefined)
      assert.match(await reasonOf(opened), reason)
      assert.equal(opened.acme.stats()['orders_failed'], 1)
    })
  }

  it('is borne with when it refuses a good nonce nine times', async (t) => {
    let refusals = 0
    const account = ({ res }: Asked): void =>
      refusals++ < 9
        ? send(res, 400, problem('badNonce', 'again'))
        : send(res, 403, problem('unauthorized', 'the tenth was taken'))
    const opened = await orderFrom(t, { '/account': account })
    assert.match(await reasonOf(opened), /the tenth was taken/)
  })

  it('is given up when the order is never filled', async (t) => {
    const script = {
      '/order': ({ res, origin }: Asked) => send(res, 200, order(origin, 'pending')),
    }
    const opened = await orderFrom(t, script, { order_timeout: 1200 })
    assert.match(await reasonOf(opened), /no certificate for "gw\.example" within 1\.2 seconds/)
    assert.ok(opened.authority.asked.length < 12, opened.authority.asked.join(' '))
  })

  it('is given up when an answer never ends', async (t) => {
    const drip = ({ res }: Asked) => {
      const timer = setInterval(() => res.write(' '), 50)
      res.once('close', () => clearInterval(timer))
    }
    const opened = await orderFrom(t, { '/orders': drip }, { order_timeout: 1000 })
    assert.match(await reasonOf(opened), /within 1 seconds/)
  })

  it('is given up when it takes a connection and says nothing', async (t) => {
    const mute = createServer()
    await new Promise<void>((ready) => void mute.listen(0, '127.0.0.1', ready))
    finallyDo(t, () => void mute.close())
    mute.on('connection', (socket) => finallyDo(t, () => void socket.destroy()))
    const directory = `https://127.0.0.1:${(mute.address() as AddressInfo).port}/`
    const opened = await orderFrom(t, {}, { directory, order_timeout: 1000 })
    assert.match(await reasonOf(opened), /within 1 seconds/)
  })

  it('is not asked where nobody vouches for its own certificate', async (t) => {
    const opened = await orderFrom(t, {}, { authority_ca: '', hosts: ['gw.btlinkd.org'] })
    assert.match(await reasonOf(opened), /cannot be asked for .*certificate/)
    assert.deepEqual(opened.authority.asked, [])
  })

  it('is left in peace for as long as it says, whatever the host', async (t) => {
    const limited = raw(429, JSON.stringify(problem('rateLimited', 'too many')), {
      'Retry-After': String(36 * 3600),
    })
    const opened = await orderFrom(t, { '/orders': limited }, { hosts: [HOST, 'www.gw.example'] })
    const { acme, clock, authority } = opened
    const count = () => authority.asked.filter((path) => path === '/orders').length
    assert.equal(count(), 1)
    clock.at += 35 * HOUR
    await acme.renewDue()
    assert.equal(count(), 1)
    assert.match(await reasonOf(opened), /rateLimited: too many/)
    clock.at += 2 * HOUR
    await acme.renewDue()
    assert.equal(count(), 2)
  })

  it('may forget the account: it is made again with the same key', async (t) => {
    let forgets = 1
    const authority = await startAuthority(t)
    const { '/orders': honest } = authority.script
    authority.script['/orders'] = (asked: Asked) => {
      if (forgets-- > 0) send(asked.res, 400, problem('accountDoesNotExist', 'who?'))
      else if (typeof honest === 'function') honest(asked)
    }
    const { acme } = await openAcme(t, {
      directory: authority.directory,
      authority_ca: authority.ca,
      hosts: [HOST],
    })
    await acme.renewDue()
    const accounts = authority.signed.filter(({ path }) => path === '/account')
    assert.equal(accounts.length, 2)
    assert.deepEqual(accounts[0]?.header['jwk'], accounts[1]?.header['jwk'])
    assert.equal(authority.asked.at(-1), '/certificate')
  })

  it('is told who asks, that its terms are agreed to, and where to write', async (t) => {
    const { authority } = await orderFrom(t, {})
    const [account, next] = authority.signed
    assert.deepEqual(JSON.parse(account?.payload ?? ''), {
      termsOfServiceAgreed: true,
      contact: ['mailto:box@gw.example'],
    })
    assert.equal(account?.header['url'], `${authority.origin}/account`)
    assert.deepEqual(Object.keys(account?.header ?? {}).toSorted(), ['alg', 'jwk', 'nonce', 'url'])
    assert.equal(next?.header['kid'], `${authority.origin}/accounts/1`)
    assert.deepEqual(JSON.parse(next?.payload ?? ''), {
      identifiers: [{ type: 'dns', value: HOST }],
    })
  })
})

describe('nothing is asked of an authority', { skip: missing('/usr/bin/openssl') }, () => {
  it('while the clock cannot be right', async (t) => {
    const opened = await orderFrom(t, {}, { now: Date.UTC(1970, 0, 2) })
    assert.equal(opened.acme.leaf(HOST), undefined)
    assert.deepEqual(opened.authority.asked, [])
    assert.match(await reasonOf(opened), /clock cannot be right/)
  })

  it('before its terms are agreed to', async (t) => {
    const opened = await orderFrom(t, {}, { terms_agreed: false })
    assert.deepEqual(opened.authority.asked, [])
    assert.equal(opened.acme.serves(HOST), false)
    assert.match(opened.logged.join(), /acme\.terms_agreed is not set/)
    assert.deepEqual(await opened.acme.health(), { status: 'ok', score: 100 })
  })

  it('for hosts that are not listed', async (t) => {
    const opened = await orderFrom(t, {}, { hosts: [] })
    for (const host of ['gw.example', 'bank.example', '127.0.0.1', '', 'x'.repeat(100_000)]) {
      assert.equal(opened.acme.leaf(host), undefined)
    }
    await opened.acme.renewDue()
    assert.deepEqual(opened.authority.asked, [])
  })

  it('twice by those who ask at the same time', async (t) => {
    const opened = await orderFrom(t, {}, { asleep: true })
    await opened.acme.start(new AbortController().signal)
    for (let asks = 0; asks < 1000; asks++) opened.acme.leaf(HOST)
    await opened.acme.renewDue()
    const { asked } = opened.authority
    assert.equal(asked.filter((path) => path === '/orders').length, 1)
  })

  it('again and again by a box that dies within its orders', async (t) => {
    const hang = () => undefined
    const authority = await startAuthority(t, { '/orders': hang })
    const options = { directory: authority.directory, authority_ca: authority.ca, hosts: [HOST] }
    const first = await openAcme(t, options)
    while (!authority.asked.includes('/orders')) await new Promise((done) => setTimeout(done, 10))
    // It is still at it, as far as the disk knows: that is what a kill leaves.
    const again = await openAcme(t, { ...options, folder: first.folder })
    await again.acme.renewDue()
    assert.equal(authority.asked.filter((path) => path === '/orders').length, 1)
    assert.match(await reasonOf(again), /not brought to its end/)
    // Stopped in good order it may begin at once.
    await first.acme.stop()
    const after = await openAcme(t, { ...options, folder: first.folder, order_timeout: 1000 })
    await after.acme.renewDue()
    assert.equal(authority.asked.filter((path) => path === '/orders').length, 2)
  })
})
