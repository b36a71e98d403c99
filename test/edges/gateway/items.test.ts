import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, describe, it } from 'node:test'
import { immutableTarget } from '../../../src/base/bep44.ts'
import { encode, type Encodable } from '../../../src/base/bencode.ts'
import { startGateway } from './fixture.ts'

const fixture = await startGateway({ after: (fn) => after(fn) }, { btlink: { wait_timeout: 300 } })

function put(value: Encodable): string {
  const bytes = encode(value)
  const target = immutableTarget(bytes)
  fixture.item(target, bytes)
  return `${target}-44.btlink`
}

describe('immutable items', () => {
  it('come as they are stored, under their hash, for ever', async () => {
    const host = put('Hello World!')
    assert.equal(host, 'e5f96f6f38320f0f33959cb4d3d656452117aadb-44.btlink')
    const { status, body, headers } = await fixture.ask(host, '/')
    assert.equal(status, 200)
    assert.equal(body.toString(), '12:Hello World!')
    assert.equal(headers['content-type'], 'application/x-bencode')
    assert.equal(headers.etag, '"e5f96f6f38320f0f33959cb4d3d656452117aadb"')
    assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable')
    assert.equal(headers['access-control-allow-origin'], '*')
    assert.ok(host.startsWith(createHash('sha1').update(body).digest('hex')))
  })

  it('come as text, hex and JSON', async () => {
    const host = put('grüße')
    assert.equal((await fixture.ask(host, '/?format=string')).text, 'grüße')
    assert.equal((await fixture.ask(host, '/?format=raw')).text, '7:grüße')
    assert.equal(
      (await fixture.ask(host, '/?format=hex')).text,
      Buffer.from('7:grüße').toString('hex'),
    )
    assert.equal((await fixture.ask(host, '/?format=json')).text, '"grüße"')
    const dict = put({ a: [1, 'two', new Uint8Array([255, 0])], b: 2n ** 60n })
    const json = await fixture.ask(dict, '/?format=json')
    assert.equal(json.headers['content-type'], 'application/json')
    assert.deepEqual(JSON.parse(json.text), { a: [1, 'two', 'ff00'], b: String(2n ** 60n) })
  })

  it('are refused in a form that does not fit', async () => {
    const host = put([1, 2])
    assert.equal((await fixture.ask(host, '/?format=string')).status, 406)
    assert.equal((await fixture.ask(host, '/?format=xml')).status, 406)
  })

  it('answer conditions, HEAD and only-if-cached', async () => {
    const host = put('conditions')
    const { headers } = await fixture.ask(host, '/', { method: 'HEAD' })
    assert.equal(headers['content-length'], '13')
    const again = { headers: { 'if-none-match': String(headers.etag) } }
    assert.equal((await fixture.ask(host, '/', again)).status, 304)
    const unknown = `${'1'.repeat(40)}-44.btlink`
    const local = { headers: { 'cache-control': 'only-if-cached' } }
    assert.equal((await fixture.ask(unknown, '/', local)).status, 412)
    assert.equal((await fixture.ask(host, '/', local)).status, 200)
  })

  it('have no paths, and 404 where nobody holds them', async () => {
    assert.equal((await fixture.ask(put('x'), '/y')).status, 404)
    assert.equal((await fixture.ask(put('x'), '/.btlink/info.json')).status, 404)
    assert.equal((await fixture.ask(put('x'), '/.btlink/webseed/')).status, 404)
    const missing = await fixture.ask(`${'2'.repeat(40)}-44.btlink`, '/')
    assert.equal(missing.status, 404)
    assert.match(missing.text, /BTL_ERR_RESOLVE_NOT_FOUND/)
    assert.equal((await fixture.ask('xyz-44.btlink', '/')).status, 400)
  })

  it('answer 504 where nobody answers in time', async () => {
    const target = '3'.repeat(40)
    fixture.fails.set(target, 'never')
    assert.equal((await fixture.ask(`${target}-44.btlink`, '/')).status, 504)
  })
})
