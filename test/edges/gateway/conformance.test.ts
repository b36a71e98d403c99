/**
 * What the conformance suite of IPFS gateways asks of files, folders, names, redirects, proxies and
 * archives (github.com/ipfs/gateway-conformance: path_unixfs, subdomain, redirects_file, proxy, cors,
 * tar), told in our words: infohash for CID, key for IPNS name.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { publicKey } from '../../../src/base/hashes.ts'
import type { Metainfo } from '../../../src/base/metainfo/metainfo.ts'
import { fakeVersion } from '../../fakes/library.ts'
import { startGateway, hostOfTorrent, KEY_HEX, KEY_LABEL } from './fixture.ts'

interface Case {
  name: string
  /** Default: the site's `-ih` host. */
  host?: string
  method?: string
  path: string
  headers?: Record<string, string>
  status: number
  /** Exact, or a pattern; `undefined` means absent. */
  expect?: Record<string, string | RegExp | undefined>
  body?: string | RegExp
}

const ascii = 'hello world, this is plain text\n'
const REDIRECTS = `# comments and empty lines are skipped

/redirect-one /one.html
/301-redirect-one /one.html 301
/302-redirect-two /two.html 302
/303-redirect-two /two.html 303
/307-redirect-two /two.html 307
/308-redirect-two /two.html 308
/200-index /index.html 200
/200-folder/* /dir/ 200
/posts/:year/:month/:title /articles/:year-:month/:title 301
/splat/* /redirected-splat/:splat 301
/not-found/* /404-page.html 404
/gone/* /gone-page.html 410
/withheld/* /withheld-page.html 451
/gone-without-page /nowhere.html 410
/to-other-host https://example.com/:splat 302
/keeps-query /one.html?own=1 302
/one.html /shadowed.html 302
/first /one.html 302
/first /two.html 302
/dir /shadowed.html 302
\t/spaced \t /one.html   302
/app/* /index.html 200
`

const FILES = {
  'index.html': '<h1>index</h1>',
  'ascii.txt': ascii,
  'dir/inner.txt': 'inner',
  'dir/index.html': '<h1>inner index</h1>',
  'listed/a.txt': 'a',
  'listed/sub/b.txt': 'bb',
  'api/file.txt': 'not an api',
  'ą/ę/file-źł.txt': 'unicode',
  noext: '<!doctype html><title>x</title>',
  'one.html': 'one',
  'two.html': 'two',
  '404-page.html': 'my 404',
  'gone-page.html': 'my 410',
  'withheld-page.html': 'my 451',
  _redirects: REDIRECTS,
}

const KEY_HOST = `${KEY_LABEL}.btlink.localhost`
const fixture = await startGateway({ after: (fn) => after(fn) })
const site = await fixture.add(FILES, { name: 'site' })
const plain = await fixture.add({ 'a/b.txt': 'b', 'c.txt': 'c' }, { name: 'plain' })
const key = await fixture.add({ 'index.html': 'keyed', '404.html': 'own 404', 'd/x.txt': 'x' })
const broken = await fixture.add({ _redirects: '/x\n', 'a.txt': 'a' })
const large = await fixture.add({ _redirects: `# ${'x'.repeat(65_536)}\n`, 'a.txt': 'a' })
const forced = await fixture.add({ _redirects: '/a /b 302!\n', 'a.txt': 'a' })
const owner = publicKey(KEY_HEX)
const noSalt = new Uint8Array()
fixture.point(owner, noSalt, {
  infoHash: key.infoHash,
  seq: 7,
  freshness: 'fresh',
  ageSeconds: 3,
  version: fakeVersion(owner, noSalt, { infoHash: key.infoHash, seq: 7, at: 1.7e12 }),
})

const at = (torrent: Metainfo): string => hostOfTorrent(torrent.infoHash)
const tag = (torrent: Metainfo, name: string): string =>
  `"${torrent.infoHash}.${torrent.files.find(({ path }) => path.join('/') === name)?.index}"`

async function check(one: Case): Promise<void> {
  const { method = 'GET', path, headers = {} } = one
  const reply = await fixture.ask(one.host ?? hostOfTorrent(site.infoHash), path, {
    method,
    headers,
  })
  assert.equal(reply.status, one.status, reply.text.slice(0, 300))
  for (const [name, expected] of Object.entries(one.expect ?? {})) {
    const value = reply.headers[name.toLowerCase()]
    if (expected instanceof RegExp) assert.match(String(value), expected, name)
    else assert.equal(value, expected, name)
  }
  if (one.body instanceof RegExp) assert.match(reply.text, one.body)
  else if (one.body !== undefined) assert.equal(reply.text, one.body)
}

function suite(title: string, cases: Case[]): void {
  describe(title, () => {
    for (const one of cases) it(one.name, async () => check(one))
  })
}

suite('files and folders', [
  {
    name: 'serves index.html for the root',
    path: '/',
    status: 200,
    body: '<h1>index</h1>',
    expect: { 'content-type': 'text/html; charset=utf-8', 'x-btlink-path': '/index.html' },
  },
  {
    name: 'serves index.html of a folder',
    path: '/dir/',
    status: 200,
    body: '<h1>inner index</h1>',
  },
  {
    name: 'redirects a folder without slash, keeping the query',
    path: '/dir?a=1&b',
    status: 308,
    expect: { location: '/dir/?a=1&b' },
  },
  {
    name: 'lists a folder without index.html',
    path: '/listed/',
    status: 200,
    body: /href="\.\/a\.txt"[\s\S]*/,
    expect: { 'content-type': 'text/html; charset=utf-8' },
  },
  {
    name: 'shows the way up in a listing',
    path: '/listed/sub/',
    status: 200,
    body: /href="\.\.\/"/,
  },
  {
    name: 'hides the way up at the root',
    path: '/?btlink-no-autoindex',
    status: 200,
    body: /^(?![\s\S]*href="\.\.\/")[\s\S]*href="\.\/dir\/"/,
  },
  {
    name: 'gives a listing an etag of its own',
    path: '/listed/',
    status: 200,
    expect: { etag: /^"[0-9a-f]{40}"$/ },
  },
  {
    name: 'does not call a listing immutable',
    path: '/listed/',
    status: 200,
    expect: { 'cache-control': 'public, max-age=60, stale-while-revalidate=86400' },
  },
  {
    name: 'serves a file with etag, length and type',
    path: '/ascii.txt',
    status: 200,
    body: ascii,
    expect: {
      etag: tag(site, 'ascii.txt'),
      'content-length': String(ascii.length),
      'content-type': 'text/plain; charset=utf-8',
    },
  },
  {
    name: 'calls files of a torrent immutable',
    path: '/ascii.txt',
    status: 200,
    expect: { 'cache-control': 'public, max-age=31536000, immutable' },
  },
  {
    name: 'names the torrent and the path',
    path: '/dir/inner.txt',
    status: 200,
    expect: { 'x-btlink-infohash': site.infoHash, 'x-btlink-path': '/dir/inner.txt' },
  },
  {
    name: 'serves names in any script',
    path: '/%C4%85/%C4%99/file-%C5%BA%C5%82.txt',
    status: 200,
    body: 'unicode',
    expect: { 'x-btlink-path': '/%C4%85/%C4%99/file-%C5%BA%C5%82.txt' },
  },
  {
    name: 'serves a folder that is called like an interface',
    path: '/api/file.txt',
    status: 200,
    body: 'not an api',
  },
  {
    name: 'guesses the type of a file without extension',
    path: '/noext',
    status: 200,
    expect: { 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' },
  },
  {
    name: 'answers HEAD with the headers of GET',
    path: '/ascii.txt',
    method: 'HEAD',
    status: 200,
    body: '',
    expect: { 'content-length': String(ascii.length), etag: tag(site, 'ascii.txt') },
  },
  {
    name: 'answers HEAD for a listing',
    path: '/listed/',
    method: 'HEAD',
    status: 200,
    body: '',
    expect: { 'content-type': 'text/html; charset=utf-8' },
  },
  {
    name: 'answers HEAD for a missing file',
    path: '/nope',
    host: at(plain),
    method: 'HEAD',
    status: 404,
    body: '',
  },
  {
    name: 'answers 404 for a missing file',
    path: '/nope',
    host: at(plain),
    status: 404,
    expect: { 'access-control-allow-origin': '*' },
    body: /BTL_ERR_GATEWAY_NOT_FOUND/,
  },
  {
    name: 'answers 404 for a file with a trailing slash',
    path: '/c.txt/',
    host: at(plain),
    status: 404,
  },
  { name: 'answers 404 below a file', path: '/c.txt/more', host: at(plain), status: 404 },
  {
    name: 'answers the site with its own 404.html',
    path: '/nope',
    host: KEY_HOST,
    status: 404,
    body: 'own 404',
  },
  {
    name: 'finds 404.html above the missing path',
    path: '/d/e/nope',
    host: KEY_HOST,
    status: 404,
    body: 'own 404',
  },
  {
    name: 'serves 404.html itself with 200',
    path: '/404.html',
    host: KEY_HOST,
    status: 200,
    body: 'own 404',
  },
  {
    name: 'sends a file inline with its name',
    path: '/ascii.txt',
    status: 200,
    expect: { 'content-disposition': 'inline; filename="ascii.txt"' },
  },
  {
    name: 'takes another name from the query',
    path: '/ascii.txt?filename=te%C5%9Bt.txt',
    status: 200,
    expect: {
      'content-disposition': `inline; filename="te_t.txt"; filename*=UTF-8''te%C5%9Bt.txt`,
    },
  },
  {
    name: 'sends a download where asked',
    path: '/ascii.txt?filename=x.txt&download=true',
    status: 200,
    expect: { 'content-disposition': 'attachment; filename="x.txt"' },
  },
  {
    name: 'takes the type from the asked name',
    path: '/ascii.txt?filename=x.css',
    status: 200,
    expect: { 'content-type': 'text/css; charset=utf-8' },
  },
])

suite('ranges', [
  {
    name: 'says that ranges are possible',
    path: '/ascii.txt',
    status: 200,
    expect: { 'accept-ranges': 'bytes' },
  },
  {
    name: 'serves one range',
    path: '/ascii.txt',
    headers: { range: 'bytes=6-10' },
    status: 206,
    body: 'world',
    expect: {
      'content-range': `bytes 6-10/${ascii.length}`,
      'content-length': '5',
      etag: tag(site, 'ascii.txt'),
    },
  },
  {
    name: 'serves a range to the end',
    path: '/ascii.txt',
    headers: { range: 'bytes=6-' },
    status: 206,
    body: ascii.slice(6),
  },
  {
    name: 'serves the last bytes',
    path: '/ascii.txt',
    headers: { range: 'bytes=-5' },
    status: 206,
    body: ascii.slice(-5),
  },
  {
    name: 'cuts a range at the end of the file',
    path: '/ascii.txt',
    headers: { range: 'bytes=30-999' },
    status: 206,
    body: ascii.slice(30),
  },
  {
    name: 'serves several ranges',
    path: '/ascii.txt',
    headers: { range: 'bytes=0-4,6-10' },
    status: 206,
    body: /bytes 0-4\/32\r\n\r\nhello\r\n--[0-9a-f]+\r\n[\s\S]*bytes 6-10\/32\r\n\r\nworld\r\n--/,
    expect: { 'content-type': /^multipart\/byteranges; boundary=/ },
  },
  {
    name: 'refuses a range behind the end',
    path: '/ascii.txt',
    headers: { range: 'bytes=999-' },
    status: 416,
    expect: { 'content-range': `bytes */${ascii.length}` },
  },
  {
    name: 'ignores a unit it does not know',
    path: '/ascii.txt',
    headers: { range: 'lines=1-2' },
    status: 200,
    body: ascii,
  },
  {
    name: 'ignores a malformed range',
    path: '/ascii.txt',
    headers: { range: 'bytes=5-2' },
    status: 200,
    body: ascii,
  },
  {
    name: 'ignores a range on HEAD',
    path: '/ascii.txt',
    method: 'HEAD',
    headers: { range: 'bytes=0-1' },
    status: 200,
    expect: { 'content-length': String(ascii.length) },
  },
  {
    name: 'honours If-Range with the etag',
    path: '/ascii.txt',
    headers: { range: 'bytes=0-4', 'if-range': tag(site, 'ascii.txt') },
    status: 206,
    body: 'hello',
  },
  {
    name: 'sends all where If-Range names another etag',
    path: '/ascii.txt',
    headers: { range: 'bytes=0-4', 'if-range': '"other"' },
    status: 200,
    body: ascii,
  },
])

suite('conditions', [
  {
    name: 'answers 304 for the same etag',
    path: '/ascii.txt',
    headers: { 'if-none-match': tag(site, 'ascii.txt') },
    status: 304,
    body: '',
    expect: {
      etag: tag(site, 'ascii.txt'),
      'cache-control': 'public, max-age=31536000, immutable',
    },
  },
  {
    name: 'answers 304 for a weak etag',
    path: '/ascii.txt',
    headers: { 'if-none-match': `W/${tag(site, 'ascii.txt')}` },
    status: 304,
  },
  {
    name: 'answers 304 for a list with the etag',
    path: '/ascii.txt',
    headers: { 'if-none-match': `"a", ${tag(site, 'ascii.txt')}, "b"` },
    status: 304,
  },
  { name: 'answers 304 for *', path: '/ascii.txt', headers: { 'if-none-match': '*' }, status: 304 },
  {
    name: 'answers 200 for another etag',
    path: '/ascii.txt',
    headers: { 'if-none-match': '"other"' },
    status: 200,
  },
  {
    name: 'answers 304 for an index page',
    path: '/dir/',
    headers: { 'if-none-match': tag(site, 'dir/index.html') },
    status: 304,
  },
  {
    name: 'answers 412 where If-Match names another',
    path: '/ascii.txt',
    headers: { 'if-match': '"other"' },
    status: 412,
  },
  {
    name: 'answers 200 where If-Match names it',
    path: '/ascii.txt',
    headers: { 'if-match': tag(site, 'ascii.txt') },
    status: 200,
  },
  {
    name: 'answers only-if-cached from disk',
    path: '/ascii.txt',
    headers: { 'cache-control': 'only-if-cached' },
    status: 200,
    body: ascii,
  },
  {
    name: 'answers only-if-cached HEAD from disk',
    path: '/ascii.txt',
    method: 'HEAD',
    headers: { 'cache-control': 'only-if-cached' },
    status: 200,
  },
  {
    name: 'answers 412 where only-if-cached finds nothing',
    host: `${'0'.repeat(40)}-ih.btlink.localhost`,
    path: '/',
    headers: { 'cache-control': 'only-if-cached' },
    status: 412,
  },
  {
    name: 'answers 412 to HEAD where only-if-cached finds nothing',
    host: `${'0'.repeat(40)}-ih.btlink.localhost`,
    path: '/',
    method: 'HEAD',
    headers: { 'cache-control': 'only-if-cached' },
    status: 412,
  },
])

suite('names', [
  {
    name: 'takes upper case',
    host: `${site.infoHash.toUpperCase()}-IH.BTLINK.localhost`,
    path: '/ascii.txt',
    status: 200,
    body: ascii,
  },
  {
    name: 'takes a trailing dot and a port',
    host: `${site.infoHash}-ih.btlink.:8080`,
    path: '/ascii.txt',
    status: 200,
    body: ascii,
  },
  {
    name: 'takes the name without gateway domain',
    host: `${site.infoHash}-ih.btlink`,
    path: '/ascii.txt',
    status: 200,
    body: ascii,
  },
  {
    name: 'takes any gateway domain',
    host: `${site.infoHash}-ih.btlink.gw.example.com`,
    path: '/ascii.txt',
    status: 200,
    body: ascii,
  },
  {
    name: 'sends extra labels to the canonical host',
    host: `www.${at(site)}`,
    path: '/dir/?x=1',
    status: 307,
    expect: { location: `http://${at(site)}/dir/?x=1` },
  },
  {
    name: 'sends the dotted spelling to the hyphened',
    host: `${site.infoHash}.ih.btlink.localhost`,
    path: '/',
    status: 307,
    expect: { location: `http://${at(site)}/` },
  },
  {
    name: 'refuses a short infohash',
    host: 'abc-ih.btlink.localhost',
    path: '/',
    status: 400,
    body: /BTL_ERR_BASE_BAD_NAME/,
  },
  {
    name: 'refuses a label without schema',
    host: 'foo.btlink.localhost',
    path: '/',
    status: 400,
    body: /-ih\.btlink/,
  },
  { name: 'refuses a bad key', host: 'abc-pk.btlink.localhost', path: '/', status: 400 },
  {
    name: 'refuses a label that is too long',
    host: `${'a'.repeat(64)}-ih.btlink`,
    path: '/',
    status: 400,
  },
  {
    name: 'answers 404 for a host of somebody else',
    host: 'example.com',
    path: '/',
    status: 404,
    body: /BTL_ERR_GATEWAY_UNKNOWN_HOST/,
  },
  {
    name: 'shows the root page under the bare domain',
    host: 'btlink',
    path: '/',
    status: 200,
    body: /btlink gateway/,
  },
  {
    name: 'shows the root page under localhost',
    host: 'localhost:42080',
    path: '/',
    status: 200,
    body: /btlink gateway/,
  },
  {
    name: 'shows the root page under an address',
    host: '[::1]:42080',
    path: '/',
    status: 200,
    body: /btlink gateway/,
  },
])

suite('names of keys', [
  { name: 'serves what the key points at', host: KEY_HOST, path: '/', status: 200, body: 'keyed' },
  {
    name: 'tells seq and infohash',
    host: KEY_HOST,
    path: '/',
    status: 200,
    expect: { 'x-btlink-seq': '7', 'x-btlink-infohash': key.infoHash, 'x-btlink-stale': undefined },
  },
  {
    name: 'lets answers be kept for a minute',
    host: KEY_HOST,
    path: '/',
    status: 200,
    expect: { 'cache-control': 'public, max-age=60, stale-while-revalidate=86400' },
  },
  {
    name: 'has the etag of the torrent behind it',
    host: KEY_HOST,
    path: '/',
    status: 200,
    expect: { etag: tag(key, 'index.html') },
  },
  {
    name: 'tells when the version was first seen',
    host: KEY_HOST,
    path: '/',
    status: 200,
    expect: { 'last-modified': new Date(1.7e12).toUTCString() },
  },
  {
    name: 'answers 304 for the same version',
    host: KEY_HOST,
    path: '/',
    headers: { 'if-none-match': tag(key, 'index.html') },
    status: 304,
  },
  {
    name: 'answers 304 by date',
    host: KEY_HOST,
    path: '/',
    headers: { 'if-modified-since': new Date(1.7e12).toUTCString() },
    status: 304,
  },
  {
    name: 'serves ranges',
    host: KEY_HOST,
    path: '/',
    headers: { range: 'bytes=0-1' },
    status: 206,
    body: 'ke',
  },
  {
    name: 'redirects folders',
    host: KEY_HOST,
    path: '/d',
    status: 308,
    expect: { location: '/d/' },
  },
  {
    name: 'answers 404 for a name that nobody published',
    host: `salt.${KEY_HOST}`,
    path: '/',
    status: 404,
    body: /BTL_ERR_RESOLVE_NOT_FOUND/,
  },
  {
    name: 'answers 412 for an unknown name and only-if-cached',
    host: `salt.${KEY_HOST}`,
    path: '/',
    headers: { 'cache-control': 'only-if-cached' },
    status: 412,
  },
])

suite('_redirects', [
  {
    name: 'redirects with 301 where no status stands',
    path: '/redirect-one',
    status: 301,
    expect: { location: '/one.html' },
  },
  {
    name: 'redirects with 301',
    path: '/301-redirect-one',
    status: 301,
    expect: { location: '/one.html' },
  },
  {
    name: 'redirects with 302',
    path: '/302-redirect-two',
    status: 302,
    expect: { location: '/two.html' },
  },
  {
    name: 'redirects with 303',
    path: '/303-redirect-two',
    status: 303,
    expect: { location: '/two.html' },
  },
  {
    name: 'redirects with 307',
    path: '/307-redirect-two',
    status: 307,
    expect: { location: '/two.html' },
  },
  {
    name: 'redirects with 308',
    path: '/308-redirect-two',
    status: 308,
    expect: { location: '/two.html' },
  },
  { name: 'serves another page with 200', path: '/200-index', status: 200, body: '<h1>index</h1>' },
  {
    name: 'serves the index of a folder with 200',
    path: '/200-folder/deep/er',
    status: 200,
    body: '<h1>inner index</h1>',
  },
  {
    name: 'fills in placeholders',
    path: '/posts/2022/07/hello',
    status: 301,
    expect: { location: '/articles/2022-07/hello' },
  },
  {
    name: 'fills in the splat',
    path: '/splat/a/b.html',
    status: 301,
    expect: { location: '/redirected-splat/a/b.html' },
  },
  { name: 'serves a page of the site with 404', path: '/not-found/x', status: 404, body: 'my 404' },
  { name: 'serves a page of the site with 410', path: '/gone/x', status: 410, body: 'my 410' },
  { name: 'serves a page of the site with 451', path: '/withheld/x', status: 451, body: 'my 451' },
  {
    name: 'answers the status where its page is missing',
    path: '/gone-without-page',
    status: 410,
    body: /BTL_ERR_GATEWAY_GONE/,
  },
  {
    name: 'sends the browser to another host',
    path: '/to-other-host',
    status: 302,
    expect: { location: /^https:\/\/example\.com\// },
  },
  {
    name: 'keeps the query of the request',
    path: '/redirect-one?a=1',
    status: 301,
    expect: { location: '/one.html?a=1' },
  },
  {
    name: "lets the rule's own query win",
    path: '/keeps-query?own=2&b=3',
    status: 302,
    expect: { location: '/one.html?own=1&b=3' },
  },
  { name: 'never shadows a file that is there', path: '/one.html', status: 200, body: 'one' },
  { name: 'never shadows a folder that is there', path: '/dir', status: 308 },
  {
    name: 'takes the first of two rules',
    path: '/first',
    status: 302,
    expect: { location: '/one.html' },
  },
  {
    name: 'takes tabs and runs of spaces',
    path: '/spaced',
    status: 302,
    expect: { location: '/one.html' },
  },
  {
    name: 'serves an application for all its paths',
    path: '/app/any/where',
    status: 200,
    body: '<h1>index</h1>',
  },
  { name: 'matches whatever the trailing slash', path: '/redirect-one/', status: 301 },
  {
    name: 'answers HEAD',
    path: '/redirect-one',
    method: 'HEAD',
    status: 301,
    expect: { location: '/one.html' },
  },
  { name: 'answers 404 where no rule matches', path: '/no-rule', status: 404 },
  {
    name: 'answers 500 for a file it cannot read',
    host: at(broken),
    path: '/nope',
    status: 500,
    body: /no destination/,
  },
  {
    name: 'answers 500 for a file above 64 KiB',
    host: at(large),
    path: '/nope',
    status: 500,
    body: /larger than 65536/,
  },
  {
    name: 'answers 500 for forced rules',
    host: at(forced),
    path: '/nope',
    status: 500,
    body: /forced/,
  },
  {
    name: 'serves files of a site whose rules are broken',
    host: at(broken),
    path: '/a.txt',
    status: 200,
    body: 'a',
  },
])

suite('other origins', [
  {
    name: 'lets any page read',
    path: '/ascii.txt',
    headers: { origin: 'https://x.example' },
    status: 200,
    expect: {
      'access-control-allow-origin': '*',
      'access-control-expose-headers': /Content-Range.*ETag.*X-Btlink-Infohash/,
    },
  },
  {
    name: 'answers a preflight',
    path: '/ascii.txt',
    method: 'OPTIONS',
    headers: {
      origin: 'https://x.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'range',
    },
    status: 204,
    expect: {
      'access-control-allow-methods': 'GET, HEAD, OPTIONS',
      'access-control-allow-headers': /Range/,
    },
  },
  {
    name: 'never sets a cookie',
    path: '/ascii.txt',
    status: 200,
    expect: { 'set-cookie': undefined },
  },
])

suite('archives', [
  {
    name: 'gives a folder as tar',
    path: '/listed/?format=tar',
    status: 200,
    expect: {
      'content-type': 'application/x-tar',
      'content-disposition': 'attachment; filename="listed.tar"',
    },
  },
  {
    name: 'gives the site as tar',
    path: '/?format=tar',
    status: 200,
    expect: { 'content-disposition': 'attachment; filename="site.tar"' },
  },
  {
    name: 'gives one file as tar',
    path: '/ascii.txt?format=tar',
    status: 200,
    body: /^ascii\.txt[\s\S]*hello world/,
  },
  { name: 'answers HEAD for a tar', path: '/?format=tar', method: 'HEAD', status: 200, body: '' },
  { name: 'answers 404 for a tar of nothing', path: '/nope?format=tar', status: 404 },
  {
    name: 'gives a folder as zip',
    path: '/listed/?format=zip',
    status: 200,
    expect: { 'content-type': 'application/zip' },
  },
])
