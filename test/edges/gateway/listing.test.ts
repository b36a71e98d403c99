import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { fromHex } from '../../../src/base/bytes.ts'
import { publicKey } from '../../../src/base/hashes.ts'
import { parseMagnet } from '../../../src/base/names/index.ts'
import { hostOfTorrent, KEY_HEX, KEY_LABEL, startGateway } from './fixture.ts'

const fixture = await startGateway({ after: (fn) => after(fn) }, {}, ['udp://t.example:1/announce'])
const HOSTILE = [
  '<script>alert(1).txt',
  'a:b.txt',
  'q?x=1.txt',
  'h#sh.txt',
  '100%.txt',
  '"quotes" & more.txt',
  'javascript:alert(1)',
  ' space .txt',
  'ünï.txt',
]
const torrent = await fixture.add(
  {
    ...Object.fromEntries(HOSTILE.map((name) => [name, `content of ${name}`])),
    'file10.txt': 'x'.repeat(10),
    'file2.txt': 'x'.repeat(2048),
    'File1.txt': 'x',
    'b dir/one.bin': 'x'.repeat(1000),
    'b dir/sub/two.bin': 'x'.repeat(1000),
    'A dir/index.html': 'index',
  },
  { name: 'my & name' },
)
const HOST = hostOfTorrent(torrent.infoHash)

const unescape = (text: string) =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
const rowsOf = (text: string) =>
  [...text.matchAll(/<tr><td><a href="([^"]*)">([^<]*)<\/a><\/td><td class="size">([^<]*)</g)].map(
    ([, href = '', label = '', size = '']) => ({
      href: unescape(href),
      label: unescape(label),
      size,
    }),
  )

describe('listing', () => {
  it('has folders first, then files, as people sort them', async () => {
    const rows = rowsOf((await fixture.ask(HOST, '/')).text)
    const labels = rows.map(({ label }) => label)
    assert.deepEqual(labels.slice(0, 2), ['A dir/', 'b dir/'])
    const numbered = labels.filter((label) => /^file/i.test(label))
    assert.deepEqual(numbered, ['File1.txt', 'file2.txt', 'file10.txt'])
    assert.equal(rows.length, 2 + HOSTILE.length + 3)
  })

  it('shows sizes, those of folders summed', async () => {
    const rows = rowsOf((await fixture.ask(HOST, '/')).text)
    const size = (label: string) => rows.find((row) => row.label === label)?.size
    assert.equal(size('file2.txt'), '2 KB')
    assert.equal(size('b dir/'), '2 KB')
    assert.equal(size('File1.txt'), '1 B')
  })

  it('links every name so that a browser finds it', async () => {
    const { text } = await fixture.ask(HOST, '/')
    for (const { href, label } of rowsOf(text)) {
      const url = new URL(href, `http://${HOST}/`)
      assert.equal(url.host, HOST, href)
      const reply = await fixture.ask(HOST, url.pathname + url.search)
      assert.equal(reply.status, 200, href)
      if (HOSTILE.includes(label)) assert.equal(reply.text, `content of ${label}`)
    }
  })

  it('lets no name become markup', async () => {
    const { text, headers } = await fixture.ask(HOST, '/')
    assert.doesNotMatch(text, /<script/)
    assert.doesNotMatch(text, /href="javascript:/)
    assert.equal(
      headers['content-security-policy'],
      "default-src 'none'; style-src 'unsafe-inline'",
    )
  })

  it('leads up, except at the root', async () => {
    const sub = rowsOf((await fixture.ask(HOST, '/b%20dir/sub/')).text)
    assert.deepEqual(
      sub.map(({ href }) => href),
      ['../', './two.bin'],
    )
    assert.ok(!rowsOf((await fixture.ask(HOST, '/')).text).some(({ href }) => href === '../'))
  })

  it('is shown instead of the index page where asked', async () => {
    assert.equal((await fixture.ask(HOST, '/A%20dir/')).text, 'index')
    const listed = await fixture.ask(HOST, '/A%20dir/?btlink-no-autoindex')
    assert.ok(rowsOf(listed.text).some(({ label }) => label === 'index.html'))
  })

  it('has a magnet link with name, trackers and web seed', async () => {
    const { text } = await fixture.ask(HOST, '/')
    const magnet = unescape(/href="(magnet:[^"]*)"/.exec(text)?.[1] ?? '')
    const parameters = new URLSearchParams(magnet.slice('magnet:?'.length))
    assert.equal(parameters.get('xt'), `urn:btih:${torrent.infoHash}`)
    assert.equal(parameters.get('dn'), 'my & name')
    assert.equal(parameters.get('tr'), 'udp://t.example:1/announce')
    assert.equal(parameters.get('ws'), `http://${HOST}/.btlink/webseed/`)
  })

  it('has the magnet link of its site where a key names it (D16)', async () => {
    const salt = fromHex('626c6f67')
    const at = { seq: 1, freshness: 'fresh', ageSeconds: 0 } as const
    fixture.point(publicKey(KEY_HEX), salt, { ...at, infoHash: torrent.infoHash })
    const { text } = await fixture.ask(`blog.${KEY_LABEL}.btlink`, '/')
    const magnets = [...text.matchAll(/href="(magnet:[^"]*)"/g)].map(([, href = '']) =>
      unescape(href),
    )
    assert.equal(magnets.length, 2)
    assert.deepEqual(parseMagnet(magnets[1] ?? '').name, {
      kind: 'key',
      publicKey: KEY_HEX,
      salt,
    })
    assert.doesNotMatch((await fixture.ask(HOST, '/')).text, /btpk/)
  })

  it('is readable on a phone and in the dark', async () => {
    const { text } = await fixture.ask(HOST, '/')
    assert.match(text, /<meta name="viewport" content="width=device-width/)
    assert.match(text, /color-scheme:light dark/)
    assert.match(text, /^<!doctype html>\n<html lang="en">/)
  })

  it('leaves the name of a torrent out of its paths', async () => {
    assert.equal((await fixture.ask(HOST, '/my%20&%20name/File1.txt')).status, 404)
    assert.equal((await fixture.ask(HOST, '/File1.txt')).status, 200)
  })

  it('lists the one file of a single-file torrent, and serves it by its name', async () => {
    const one = await fixture.add({}, { name: 'film.mkv', single: Buffer.from('film') })
    const host = hostOfTorrent(one.infoHash)
    const rows = rowsOf((await fixture.ask(host, '/')).text)
    assert.deepEqual(
      rows.map(({ href }) => href),
      ['./film.mkv'],
    )
    const film = await fixture.ask(host, '/film.mkv')
    assert.equal(film.text, 'film')
    assert.equal(film.headers['content-type'], 'video/webm')
  })

  it('stays short for a folder of very many files', async () => {
    const many = Object.fromEntries(Array.from({ length: 5003 }, (_, i) => [`f/${i}.txt`, '']))
    const { infoHash } = await fixture.add({ ...many, 'f/x': 'x' }, { name: 'many' })
    const { text } = await fixture.ask(hostOfTorrent(infoHash), '/f/')
    assert.equal(rowsOf(text).length, 5001)
    assert.match(text, /And 4 more/)
  })

  it('hides pad files', async () => {
    const padded = await fixture.add({ 'a.txt': 'a', 'b.txt': 'b' }, { padded: true })
    const rows = rowsOf((await fixture.ask(hostOfTorrent(padded.infoHash), '/')).text)
    assert.deepEqual(
      rows.map(({ label }) => label),
      ['a.txt', 'b.txt'],
    )
  })
})

describe('query flags', () => {
  it('keep a page to sources of the gateway', async () => {
    const reply = await fixture.ask(`${HOST}:99`, '/A%20dir/?btlink-src-only')
    assert.match(
      String(reply.headers['content-security-policy']),
      /^default-src 'self' .*btlink\.localhost:99 \*\.btlink\.localhost:99$/,
    )
  })
})
