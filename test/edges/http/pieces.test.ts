import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { declareError } from '../../../src/base/errors.ts'
import {
  addressSet,
  clientAddress,
  contentDisposition,
  describeError,
  errorResponse,
  html,
  isHouseAddress,
  page,
  parseRange,
  precondition,
  rangeApplies,
  requestTarget,
  sniffType,
  typeByName,
  type AddressSet,
} from '../../../src/edges/http/index.ts'

const addresses = (...entries: string[]): AddressSet => {
  const set = addressSet(entries)
  assert.ok('has' in set)
  return set
}
const asRequest = (
  headers: Record<string, string>,
  { url = '/', remoteAddress = '127.0.0.1', encrypted = false } = {},
) => ({ headers, url, socket: { remoteAddress, encrypted } }) as unknown as IncomingMessage

describe('ranges', () => {
  const cases: [string | undefined, number, ReturnType<typeof parseRange>][] = [
    [undefined, 10, 'whole'],
    ['bytes=0-4', 10, [{ start: 0, end: 5 }]],
    ['bytes=5-', 10, [{ start: 5, end: 10 }]],
    ['bytes=-3', 10, [{ start: 7, end: 10 }]],
    ['bytes=-30', 10, [{ start: 0, end: 10 }]],
    ['BYTES = 0-0', 10, [{ start: 0, end: 1 }]],
    ['bytes=0-99', 10, [{ start: 0, end: 10 }]],
    ['bytes=10-', 10, 'none'],
    ['bytes=-0', 10, 'none'],
    ['bytes=20-30,40-', 10, 'none'],
    ['bytes=0-1,20-30', 10, [{ start: 0, end: 2 }]],
    [
      'bytes=8-9,0-1',
      10,
      [
        { start: 8, end: 10 },
        { start: 0, end: 2 },
      ],
    ],
    ['bytes=0-5,2-9', 10, 'whole'],
    ['bytes=5-4', 10, 'whole'],
    ['bytes=-', 10, 'whole'],
    ['bytes=a-b', 10, 'whole'],
    ['bytes=', 10, 'whole'],
    ['items=0-1', 10, 'whole'],
    ['bytes=0-0', 0, 'whole'],
    [`bytes=${'9'.repeat(15)}-`, 10, 'none'],
    [`bytes=${'9'.repeat(400)}-`, 10, 'whole'],
    [`bytes=${Array.from({ length: 33 }, (_, i) => `${i * 3}-${i * 3}`).join(',')}`, 1000, 'whole'],
  ]
  for (const [header, length, expected] of cases) {
    it(`reads ${header?.slice(0, 40) ?? 'no header'} of ${length} bytes`, () => {
      assert.deepEqual(parseRange(header, length), expected)
    })
  }

  it('never leaves the file, whatever is asked', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.nat(1000), (text, length) => {
        const answer = parseRange(`bytes=${text}`, length)
        if (typeof answer === 'string') return
        for (const { start, end } of answer) assert.ok(0 <= start && start < end && end <= length)
      }),
    )
  })
})

describe('preconditions', () => {
  const etag = '"abc"'
  const lastModifiedMs = Date.UTC(2026, 0, 1, 0, 0, 0, 500)
  const date = (ms: number) => new Date(ms).toUTCString()
  const cases: [Record<string, string>, ReturnType<typeof precondition>][] = [
    [{}, 'proceed'],
    [{ 'if-none-match': '"abc"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
    [{ 'if-none-match': '"x", "abc"' }, 'not-modified'],
    [{ 'if-none-match': '"a,b", "abc"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"x"' }, 'proceed'],
    [{ 'if-none-match': 'abc' }, 'proceed'],
    [{ 'if-match': '"abc"' }, 'proceed'],
    [{ 'if-match': '*' }, 'proceed'],
    [{ 'if-match': 'W/"abc"' }, 'failed'],
    [{ 'if-match': '"x"' }, 'failed'],
    [{ 'if-modified-since': date(lastModifiedMs) }, 'not-modified'],
    [{ 'if-modified-since': date(lastModifiedMs - 1000) }, 'proceed'],
    [{ 'if-modified-since': 'nonsense' }, 'proceed'],
    [{ 'if-unmodified-since': date(lastModifiedMs - 1000) }, 'failed'],
    [{ 'if-unmodified-since': date(lastModifiedMs) }, 'proceed'],
    [{ 'if-none-match': '"x"', 'if-modified-since': date(lastModifiedMs) }, 'proceed'],
    [{ 'if-match': '"abc"', 'if-unmodified-since': date(0) }, 'proceed'],
  ]
  for (const [headers, expected] of cases) {
    it(`answers ${expected} to ${JSON.stringify(headers)}`, () => {
      assert.equal(precondition(headers, { etag, lastModifiedMs }), expected)
    })
  }

  it('lets If-Range name exactly this representation', () => {
    const validators = { etag, lastModifiedMs }
    assert.ok(rangeApplies({}, validators))
    assert.ok(rangeApplies({ 'if-range': '"abc"' }, validators))
    assert.ok(rangeApplies({ 'if-range': date(lastModifiedMs) }, validators))
    assert.ok(!rangeApplies({ 'if-range': 'W/"abc"' }, validators))
    assert.ok(!rangeApplies({ 'if-range': date(lastModifiedMs + 5000) }, validators))
    assert.ok(!rangeApplies({ 'if-range': date(lastModifiedMs) }, { etag }))
  })
})

describe('names of files', () => {
  it('stand in Content-Disposition so that no header breaks', () => {
    assert.equal(contentDisposition('inline', 'a b.txt'), 'inline; filename="a b.txt"')
    assert.equal(
      contentDisposition('attachment', `ü"'(1)*\\%.txt`),
      `attachment; filename="__'(1)*__.txt"; filename*=UTF-8''%C3%BC%22%27%281%29%2A%5C%25.txt`,
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (name) => {
        assert.match(contentDisposition('inline', name), /^[\x20-\x7e]*$/)
      }),
    )
  })

  it('say the type, with charset for texts', () => {
    assert.equal(typeByName('a.HTML'), 'text/html; charset=utf-8')
    assert.equal(typeByName('a.tar.gz'), 'application/gzip')
    assert.equal(typeByName('film.mkv'), 'video/webm')
    assert.equal(typeByName('app.js'), 'text/javascript; charset=utf-8')
    assert.equal(typeByName('a.wasm'), 'application/wasm')
    assert.equal(typeByName('README'), undefined)
    assert.equal(typeByName('x.constructor'), undefined)
  })

  it('are helped by the first bytes where they say nothing', () => {
    const guesses: [string | Buffer, string][] = [
      ['<!DOCTYPE html><p>', 'text/html; charset=utf-8'],
      ['\n  <html lang=en>', 'text/html; charset=utf-8'],
      ['<?xml version="1.0"?>\n<svg xmlns="x">', 'image/svg+xml'],
      ['plain words', 'text/plain; charset=utf-8'],
      ['', 'text/plain; charset=utf-8'],
      ['%PDF-1.7', 'application/pdf'],
      [Buffer.from('89504e470d0a1a0a00', 'hex'), 'image/png'],
      [Buffer.from('ffd8ffe0', 'hex'), 'image/jpeg'],
      [Buffer.from('1a45dfa3', 'hex'), 'video/webm'],
      [Buffer.from('0000002066747970697 36f6d'.replace(' ', ''), 'hex'), 'video/mp4'],
      [Buffer.from([1, 2, 3, 0]), 'application/octet-stream'],
    ]
    for (const [bytes, type] of guesses) assert.equal(sniffType(Buffer.from(bytes)), type)
  })
})

describe('addresses', () => {
  it('of the house are private, local and mapped ones', () => {
    for (const inside of [
      '127.0.0.1',
      '10.1.2.3',
      '192.168.0.9',
      '::1',
      'fe80::1%eth0',
      'fd00::1',
      '::ffff:10.0.0.1',
    ]) {
      assert.ok(isHouseAddress(inside), inside)
    }
    for (const outside of ['8.8.8.8', '172.32.0.1', '2001:db8::1', '::ffff:8.8.8.8', '', 'x']) {
      assert.ok(!isHouseAddress(outside), outside)
    }
  })

  it('of clients are the right-most that no trusted proxy has', () => {
    const proxies = addresses('127.0.0.1', '10.0.0.0/8')
    const of = (chain: string, remoteAddress = '127.0.0.1') =>
      clientAddress(asRequest({ 'x-forwarded-for': chain }, { remoteAddress }), proxies)
    assert.equal(of('1.1.1.1, 2.2.2.2'), '2.2.2.2')
    assert.equal(of('1.1.1.1, 10.0.0.5'), '1.1.1.1')
    assert.equal(of('garbage'), '127.0.0.1')
    assert.equal(of('1.1.1.1', '9.9.9.9'), '9.9.9.9')
    assert.equal(of('1.1.1.1', '::ffff:127.0.0.1'), '1.1.1.1')
  })

  it('are refused where they are none', () => {
    for (const bad of ['x', '10.0.0.0/33', '::1/129', '10.0.0.1/', '1.2.3.4/8/9', '']) {
      assert.deepEqual(addressSet([bad]), { bad }, bad)
    }
  })
})

describe('request targets', () => {
  const nobody = addresses()
  it('give scheme, authority, path and query', () => {
    const read = (url: string, options = {}) =>
      requestTarget(asRequest({ host: 'h:1' }, { url, ...options }), nobody)
    const base = { scheme: 'http', authority: 'h:1', query: undefined }
    assert.deepEqual(read('/a?b?c'), { ...base, path: '/a', query: 'b?c' })
    assert.deepEqual(read('/', { encrypted: true }), { ...base, scheme: 'https', path: '/' })
    assert.deepEqual(read('http://x.y:2/z?q'), {
      ...base,
      authority: 'x.y:2',
      path: '/z',
      query: 'q',
    })
    assert.deepEqual(read('HTTPS://x.y'), { ...base, scheme: 'https', authority: 'x.y', path: '/' })
    assert.deepEqual(read('/a#b?c'), { ...base, path: '/a' })
    assert.throws(() => read('ftp://x/'), { code: 'BTL_ERR_HTTP_BAD_REQUEST' })
    assert.throws(() => read('http://u:p@x/'), { code: 'BTL_ERR_HTTP_BAD_REQUEST' })
  })
})

describe('errors on the wire', () => {
  const Teapot = declareError('BTL_ERR_HTTP_TEAPOT', 'no coffee for "%s"', 418)
  const Later = declareError('BTL_ERR_HTTP_LATER', 'later', 503)

  it('are JSON for programs', () => {
    const { statusCode, headers, body } = errorResponse(new Teapot('me'), '*/*', 'id-1')
    assert.equal(statusCode, 418)
    assert.deepEqual(JSON.parse(body.toString()), {
      code: 'BTL_ERR_HTTP_TEAPOT',
      message: 'no coffee for "me"',
      requestId: 'id-1',
    })
    assert.ok(headers.includes('application/json'))
  })

  it('are a page for browsers, with everything escaped', () => {
    const { body } = errorResponse(new Teapot('<script>'), 'text/html', 'id-1')
    assert.match(body.toString(), /no coffee for &quot;&lt;script&gt;&quot;/)
  })

  it('say when to come back where that helps', () => {
    const { headers, body } = errorResponse(new Later(), 'text/html', 'x')
    assert.equal(headers[headers.indexOf('Retry-After') + 1], '10')
    assert.match(body.toString(), /http-equiv="refresh"/)
    assert.ok(!errorResponse(new Teapot(''), undefined, 'x').headers.includes('Retry-After'))
  })

  it('say nothing of what is no error of ours', () => {
    for (const odd of [new Error('/etc/secret'), 'text', undefined, { code: 'BTL_ERR_FAKE' }]) {
      const { statusCode, code, message } = describeError(odd)
      assert.equal(statusCode, 500)
      assert.equal(code, 'BTL_ERR_HTTP_INTERNAL')
      assert.doesNotMatch(message, /secret/)
    }
  })
})

describe('pages', () => {
  it('escape text, attributes and lists, and keep markup', () => {
    const inner = html`<b>${'<i>'}</b>`
    assert.equal(
      html`<a href="${`"'&`}">${inner}${[inner, inner]}${undefined}${7}</a>`.markup,
      '<a href="&quot;&#39;&amp;"><b>&lt;i&gt;</b><b>&lt;i&gt;</b><b>&lt;i&gt;</b>7</a>',
    )
    assert.match(page('</title><script>', html``), /<title>&lt;\/title&gt;&lt;script&gt;<\/title>/)
  })
})
