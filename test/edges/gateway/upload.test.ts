import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import {
  KEY_HEX,
  KEY_LABEL,
  hostOfTorrent,
  startGateway,
  type Fixture,
  type Reply,
} from './fixture.ts'

const cleanup = { after: (fn: () => void | Promise<void>) => after(fn) }
const fixture = await startGateway(cleanup, { uploads: { max_size: 300_000, max_files: 20 } }, [
  'http://tracker.example/announce',
])
const ROOT = 'btlink.localhost'

type Part = { name: string; file?: string; type?: string; content: string | Buffer }
const field = (name: string, content: string): Part => ({ name, content })
const file = (path: string, content: string | Buffer): Part => ({
  name: 'files',
  file: path,
  type: 'application/octet-stream',
  content,
})

/** A form as browsers write it: names in UTF-8, folders in the name of the file. */
function form(parts: Part[]): { body: Buffer; headers: Record<string, string> } {
  const boundary = `----${randomBytes(12).toString('hex')}`
  const chunks = parts.flatMap((part) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${part.name}"${
        part.file === undefined ? '' : `; filename="${part.file}"`
      }\r\n${part.type === undefined ? '' : `Content-Type: ${part.type}\r\n`}\r\n`,
    ),
    Buffer.from(part.content),
    Buffer.from('\r\n'),
  ])
  return {
    body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  }
}

async function post(
  parts: Part[],
  headers: Record<string, string> = {},
  { to = fixture, host = ROOT }: { to?: Fixture; host?: string } = {},
): Promise<Reply> {
  const { body, headers: own } = form(parts)
  return to.ask(host, '/', { method: 'POST', body, headers: { ...own, ...headers } })
}

const json = (reply: Reply) => JSON.parse(reply.text) as Record<string, unknown>

describe('the root page', () => {
  it('has an uploader, a box for names, and help', async () => {
    const { status, text, headers } = await fixture.ask(ROOT, '/')
    assert.equal(status, 200)
    assert.match(text, /<form method="post" action="\/" enctype="multipart\/form-data">/)
    assert.match(text, /type="file" name="files" multiple/)
    assert.match(text, /webkitdirectory/)
    assert.match(text, /name="strip-top-directory"/)
    assert.match(text, /<form method="get" action="\/go">/)
    assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/)
    assert.equal((await fixture.ask(ROOT, '/', { method: 'HEAD' })).status, 200)
  })

  it('leads to what is typed or pasted (D18)', async () => {
    const hex = 'ab'.repeat(20)
    const site = `http://${hex}-ih.btlink.localhost`
    const cases: [string, string][] = [
      [hex, `${site}/`],
      [`magnet:?xt=urn:btih:${hex}&dn=x`, `${site}/`],
      [`${hex}-ih.btlink/a%20b?c`, `${site}/a%20b`],
      [` ${hex.toUpperCase()}-ih `, `${site}/`],
      [`magnet:?xs=urn:btpk:${KEY_HEX}&s=6e`, `http://n.${KEY_LABEL}.btlink.localhost/`],
      [
        `magnet:?xt=urn:btih:${hex}&xs=urn:btpk:${KEY_HEX}`,
        `http://${KEY_LABEL}.btlink.localhost/`,
      ],
      ['chromecast.link', 'http://chromecast.link/'],
    ]
    for (const [typed, location] of cases) {
      const reply = await fixture.ask(ROOT, `/go?to=${encodeURIComponent(typed)}`)
      assert.equal(reply.status, 303, typed)
      assert.equal(reply.headers.location, location)
    }
    assert.equal((await fixture.ask(ROOT, '/go?to=%3Cscript%3E')).status, 400)
    assert.equal((await fixture.ask(ROOT, '/go')).status, 400)
  })

  it('tells the swarm what a magnet link knows', async () => {
    const { infoHash } = await fixture.add({ 'a.txt': 'hinted' })
    const magnet = `magnet:?xt=urn:btih:${infoHash}&x.pe=10.1.2.3:6881`
    await fixture.ask(ROOT, `/go?to=${encodeURIComponent(magnet)}`)
    await until('the hint', () => fixture.hints.get(infoHash)?.peers?.[0]?.host === '10.1.2.3')
  })

  it('refuses other methods and paths', async () => {
    const put = await fixture.ask(ROOT, '/', { method: 'PUT' })
    assert.equal(put.status, 405)
    assert.equal(put.headers.allow, 'GET, HEAD, POST')
    assert.equal((await fixture.ask(ROOT, '/nothing')).status, 404)
    assert.equal((await fixture.ask(ROOT, '/.btlink/info.json')).status, 404)
    assert.equal((await fixture.ask(ROOT, '/%zz')).status, 400)
  })
})

describe('upload', () => {
  it('takes files and folders, and gives infohash, address and magnet', async () => {
    const reply = await post([
      field('name', 'hölidays'),
      file('a.txt', 'first'),
      file('dir/sub/ü.bin', Buffer.from([0, 1, 2, 255])),
      file('', ''),
    ])
    assert.equal(reply.status, 200, reply.text)
    const { infohash, url, magnet, files, length } = json(reply)
    assert.equal(url, `http://${String(infohash)}-ih.btlink.localhost/`)
    assert.match(String(magnet), /^magnet:\?xt=urn:btih:[0-9a-f]{40}&dn=h%C3%B6lidays&tr=http/)
    assert.ok(String(magnet).includes(`ws=${encodeURIComponent(`${url}.btlink/webseed/`)}`))
    assert.deepEqual({ files, length }, { files: 2, length: 9 })
    assert.deepEqual(fixture.uploads.at(-1)?.name, 'hölidays')
    const site = await fixture.ask(hostOfTorrent(String(infohash)), '/dir/sub/%C3%BC.bin')
    assert.deepEqual([...site.body], [0, 1, 2, 255])
  })

  it('shows a browser a page with the same', async () => {
    const reply = await post([file('a.txt', 'x')], { accept: 'text/html' })
    assert.equal(reply.status, 200)
    assert.match(reply.text, /id="infohash">[0-9a-f]{40}</)
    assert.match(reply.text, /id="view" href="http:\/\/[0-9a-f]{40}-ih\.btlink\.localhost\/"/)
    assert.match(reply.text, /id="magnet" href="magnet:/)
  })

  it('gives the same infohash for the same files and name', async () => {
    const parts = [field('name', 'twice'), file('a.txt', 'same')]
    assert.equal(json(await post(parts))['infohash'], json(await post(parts))['infohash'])
  })

  it('is called "btlink upload" where no name is given', async () => {
    await post([file('a.txt', 'unnamed')])
    assert.equal(fixture.uploads.at(-1)?.name, 'btlink upload')
  })

  it('leaves out the name of the top folder where asked', async () => {
    const parts = [file('top/index.html', 'x'), file('top/css/a.css', 'y'), file('alone.txt', 'z')]
    await post([field('strip-top-directory', '1'), ...parts])
    const stripped = fixture.uploads.at(-1)?.files.map(({ path }) => path.join('/'))
    assert.deepEqual(stripped, ['index.html', 'css/a.css', 'alone.txt'])
    await post(parts)
    const kept = fixture.uploads.at(-1)?.files.map(({ path }) => path.join('/'))
    assert.deepEqual(kept, ['top/index.html', 'top/css/a.css', 'alone.txt'])
  })

  it('ignores empty parts of paths', async () => {
    await post([file('a//b/c.txt', 'x')])
    assert.deepEqual(fixture.uploads.at(-1)?.files[0]?.path, ['a', 'b', 'c.txt'])
  })

  const refused: [string, Part[], RegExp][] = [
    ['a path that climbs', [file('a/../../etc/passwd', 'x')], /no path within/],
    ['an absolute path', [file('/etc/passwd', 'x')], /absolute/],
    ['a drive letter', [file('C:/x.txt', 'x')], /absolute/],
    ['a dot', [file('./x.txt', 'x')], /no path within/],
    ['two files of one name', [file('a.txt', 'x'), file('a.txt', 'y')], /two files/],
    ['no file', [field('name', 'x')], /no file was chosen/],
    ['only empty inputs', [file('', '')], /no file was chosen/],
    ['a name after the files', [file('a.txt', 'x'), field('name', 'late')], /before the files/],
  ]
  for (const [what, parts, message] of refused) {
    it(`refuses ${what}`, async () => {
      const reply = await post(parts)
      assert.equal(reply.status, 400, reply.text)
      assert.match(reply.text, message)
    })
  }

  it('refuses more bytes than allowed, said before or not', async () => {
    const reply = await post([file('big.bin', randomBytes(400_000))])
    assert.equal(reply.status, 413, reply.text)
    const claimed = await fixture.raw(
      `POST / HTTP/1.1\r\nHost: ${ROOT}\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999999999\r\n\r\n`,
    )
    assert.match(claimed, /^HTTP\/1\.1 413 /)
  })

  it('refuses too many files and what is no form', async () => {
    const many = Array.from({ length: 30 }, (_, i) => file(`${i}.txt`, 'x'))
    assert.equal((await post(many)).status, 400)
    const text = { method: 'POST', body: 'hello', headers: { 'content-type': 'text/plain' } }
    assert.ok([400, 415].includes((await fixture.ask(ROOT, '/', text)).status))
    const bare = { ...text, headers: { 'content-type': 'multipart/form-data' } }
    assert.equal((await fixture.ask(ROOT, '/', bare)).status, 400)
  })

  it('refuses a form that ends in the middle', async () => {
    const { body, headers } = form([file('a.txt', 'x'.repeat(1000))])
    const cut = { method: 'POST', body: body.subarray(0, 600), headers }
    const reply = await fixture.ask(ROOT, '/', cut)
    assert.equal(reply.status, 400, reply.text)
  })

  it('gives up when the client leaves', async () => {
    const { headers } = form([])
    const boundary = String(headers['content-type']).split('boundary=')[1]
    const before = fixture.uploads.length
    const req = request({
      host: '127.0.0.1',
      port: fixture.port,
      method: 'POST',
      path: '/',
      headers: { ...headers, host: ROOT, 'content-length': 100_000 },
    })
    req.on('error', () => undefined)
    req.write(
      `--${boundary}\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n${'x'.repeat(5000)}`,
    )
    const { aborted_total: aborted = 0 } = fixture.gateway.stats()
    setTimeout(() => req.destroy(), 100)
    await until('the end', () => (fixture.gateway.stats()['aborted_total'] ?? 0) > aborted)
    assert.equal(fixture.uploads.length, before)
  })

  it('is not possible from pages of other origins', async () => {
    const parts = [file('a.txt', 'x')]
    const port = fixture.port
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://${'ab'.repeat(20)}-ih.btlink.localhost:${port}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const reply = await post(parts, headers, { host: `${ROOT}:${port}` })
      assert.equal(reply.status, 403, JSON.stringify(headers))
    }
    for (const headers of [
      { origin: `http://${ROOT}:${port}`, 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
    ]) {
      const reply = await post(parts, headers, { host: `${ROOT}:${port}` })
      assert.equal(reply.status, 200, JSON.stringify(headers))
    }
  })

  it('is not possible under a host that was rebound to the box', async () => {
    assert.equal((await post([file('a.txt', 'x')], {}, { host: 'evil.example' })).status, 404)
  })

  it('is for the house only, seen through trusted proxies, and can be turned off', async (t) => {
    const behind = await startGateway(t, { btlink: { trusted_proxies: ['127.0.0.1'] } })
    const parts = [file('a.txt', 'x')]
    const outside = { 'x-forwarded-for': '203.0.113.9' }
    assert.equal((await post(parts, outside, { to: behind })).status, 403)
    assert.equal(
      (await post(parts, { 'x-forwarded-for': '192.168.1.9' }, { to: behind })).status,
      200,
    )
    // Without trust the header is only words.
    assert.equal((await post(parts, outside)).status, 200)
    const off = await startGateway(t, { uploads: { access: 'off' } })
    assert.equal((await post(parts, {}, { to: off })).status, 403)
    assert.doesNotMatch((await off.ask(ROOT, '/')).text, /enctype/)
  })

  it('works with curl', async (t) => {
    const folder = await tempFolder(t)
    await writeFile(join(folder, 'x y.txt'), 'from curl')
    const answer = await output('/usr/bin/curl', [
      '-sS',
      '-F',
      'name=curled',
      '-F',
      `files=@${join(folder, 'x y.txt')}`,
      `http://127.0.0.1:${fixture.port}/`,
    ])
    assert.match(answer, /"infohash":"[0-9a-f]{40}"/)
    assert.deepEqual(fixture.uploads.at(-1)?.files[0]?.path, ['x y.txt'])
  })
})
