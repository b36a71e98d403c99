import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { decode } from '../../../src/base/bencode.ts'
import { publicKey } from '../../../src/base/hashes.ts'
import { fakeVersion } from '../../fakes/library.ts'
import { until } from '../../support/until.ts'
import { hostOfTorrent, KEY_HEX, KEY_LABEL, startGateway } from './fixture.ts'

const fixture = await startGateway({ after: (fn) => after(fn) })
const key = publicKey(KEY_HEX)
const salt = Buffer.from('blog')
const HOST = `blog.${KEY_LABEL}.btlink.localhost`
const DAY = 86_400_000
const START = Date.UTC(2026, 0, 1)
const made = await Promise.all(
  ['first', 'second', 'third'].map(async (text) => fixture.add({ 'a.txt': text }, { name: text })),
)
const versions = made
  .map(({ infoHash }, i) => fakeVersion(key, salt, { infoHash, seq: i + 1, at: START + i * DAY }))
  .toReversed()
fixture.setVersions(key, salt, versions)
const [third] = versions
assert.ok(third)
fixture.point(key, salt, {
  infoHash: third.infoHash,
  seq: 3,
  freshness: 'fresh',
  ageSeconds: 0,
  version: third,
})

const at = async (ms: number | string, path = '/a.txt') =>
  fixture.ask(HOST, path, {
    headers: { 'accept-datetime': typeof ms === 'string' ? ms : new Date(ms).toUTCString() },
  })

describe('old versions', () => {
  it('are listed newest first with seq, time, infohash and signature', async () => {
    const { text, headers } = await fixture.ask(HOST, '/.btlink/versions.json')
    assert.equal(headers['content-type'], 'application/json')
    const list = (JSON.parse(text) as { versions: Record<string, unknown>[] }).versions
    assert.deepEqual(
      list.map(({ seq }) => seq),
      [3, 2, 1],
    )
    assert.deepEqual(Object.keys(list[0] ?? {}), [
      'seq',
      'time',
      'confirmed',
      'infohash',
      'value',
      'signature',
      'url',
    ])
    assert.equal(list[2]?.['time'], '2026-01-01T00:00:00.000Z')
    assert.equal(list[2]?.['url'], `http://${hostOfTorrent(made[0]?.infoHash ?? '')}/`)
  })

  it('are reached by Accept-Datetime, at their own immutable host', async () => {
    const cases: [number, number][] = [
      [START - DAY, 0],
      [START, 0],
      [START + DAY / 2, 0],
      [START + DAY, 1],
      [START + 9 * DAY, 2],
    ]
    for (const [ms, index] of cases) {
      const reply = await at(ms, '/a.txt?x=1')
      assert.equal(reply.status, 302)
      const host = hostOfTorrent(made[index]?.infoHash ?? '')
      assert.equal(reply.headers.location, `http://${host}/a.txt?x=1`)
      assert.equal(reply.headers.vary, 'Accept-Datetime')
      assert.match(
        String(reply.headers['link']),
        /rel="original timegate".*rel="memento"; datetime="/,
      )
    }
    const old = await fixture.ask(hostOfTorrent(made[0]?.infoHash ?? ''), '/a.txt')
    assert.equal(old.text, 'first')
  })

  it('are asked for with a date and nothing else', async () => {
    const reply = await at('yesterday')
    assert.equal(reply.status, 400)
    assert.match(reply.text, /BTL_ERR_GATEWAY_DATETIME/)
  })

  it('do not exist for -ih hosts, where the header means nothing', async () => {
    const headers = { 'accept-datetime': new Date(START).toUTCString() }
    const host = hostOfTorrent(made[1]?.infoHash ?? '')
    assert.equal((await fixture.ask(host, '/a.txt', { headers })).text, 'second')
    assert.equal((await fixture.ask(host, '/.btlink/versions.json')).status, 404)
  })

  it('make answers depend on the header', async () => {
    assert.equal((await fixture.ask(HOST, '/a.txt')).headers.vary, 'Accept-Datetime')
  })

  it('show in the signed record and in what the box says of the site', async () => {
    const record = await fixture.ask(HOST, '/?format=bep46')
    assert.equal(record.headers['content-type'], 'application/x-bencode')
    const dict = decode(record.body)
    assert.ok(dict instanceof Map)
    assert.deepEqual([...dict.keys()], ['k', 'salt', 'seq', 'sig', 'v'])
    assert.equal(dict.get('seq'), 3)
    const info = JSON.parse((await fixture.ask(HOST, '/.btlink/info.json')).text) as {
      infohash: string
      files: unknown[]
      key: Record<string, unknown>
    }
    assert.equal(info.infohash, third.infoHash)
    assert.deepEqual(info.files, [{ path: 'a.txt', length: 5 }])
    assert.equal(info.key['seq'], 3)
    assert.equal(info.key['magnet'], `magnet:?xs=urn:btpk:${KEY_HEX}&s=${salt.toString('hex')}`)
  })
})

describe('a new version', () => {
  it('is served as soon as the resolver knows it, with a new etag', async () => {
    const before = await fixture.ask(HOST, '/a.txt')
    assert.equal(before.text, 'third')
    const { infoHash } = await fixture.add({ 'a.txt': 'fourth' }, { name: 'fourth' })
    fixture.point(key, salt, { infoHash, seq: 4, freshness: 'fresh', ageSeconds: 0 })
    const after = await until(
      'the new version',
      async () => {
        const reply = await fixture.ask(HOST, '/a.txt', {
          headers: { 'if-none-match': String(before.headers.etag) },
        })
        return reply.status === 200 && reply
      },
      { timeoutMs: 2000 },
    )
    assert.equal(after.text, 'fourth')
    assert.equal(after.headers['x-btlink-seq'], '4')
    assert.equal((await fixture.ask(HOST, '/a.txt')).text, 'fourth')
  })
})
