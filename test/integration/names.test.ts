import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { TestDaemon } from '../support/daemon.ts'
import { type LibtorrentPeer, PYTHON } from '../support/libtorrent.ts'
import { libtorrentNode } from '../support/libtorrent.ts'
import { neighbours, type Published, publish, publishedSite, SITE } from '../support/neighbours.ts'
import { missing } from '../support/processes.ts'
import { until } from '../support/until.ts'

describe('names, asked with curl', { skip: missing(PYTHON, '/usr/bin/curl') }, () => {
  const cleanups: (() => void | Promise<void>)[] = []
  const t = { after: (fn: () => void | Promise<void>) => void cleanups.push(fn) }
  let a: TestDaemon
  let b: TestDaemon
  let bootstrap: string[]
  let site: Published & { folder: string }
  let key: string

  before(async () => {
    ;({ a, b, bootstrap } = await neighbours(t))
    site = await publishedSite(t, a, b)
    key = site.host.replace('.btlink', '')
  })
  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  })

  const index = async (host: string) => {
    const answer = await b.get(host)
    return answer.status === 200 ? answer.text() : `${answer.status} ${answer.text()}`
  }

  it('open a torrent by infohash in either case (A05)', async () => {
    assert.equal(await index(`${site.infoHash}-ih.btlink`), SITE['index.html'])
    assert.equal(await index(`${site.infoHash.toUpperCase()}-IH.BTLINK`), SITE['index.html'])
  })

  it('refuse what is no infohash, with a reason (A06)', async () => {
    for (const host of ['abc-ih.btlink', `x-${site.infoHash}-ih.btlink`, 'zz-ih.btlink']) {
      const answer = await b.get(host, '/', { headers: { accept: 'application/json' } })
      assert.equal(answer.status, 400, host)
      assert.match(answer.text(), /BTL_ERR_/)
    }
  })

  it('redirect labels left of an infohash to its own host (A07)', async () => {
    const { status, headers } = await b.get(`www.${site.infoHash}-ih.btlink`, '/sub/?x=1')
    assert.equal(status, 307)
    assert.match(
      headers['location'] ?? '',
      new RegExp(`//${site.infoHash}-ih\\.btlink/sub/\\?x=1$`),
    )
  })

  it('open a site by public key in either case (A08)', async () => {
    assert.equal(await index(`${key}.btlink`), SITE['index.html'])
    assert.equal(await index(`${key.toUpperCase()}.btlink`), SITE['index.html'])
  })

  it('refuse keys of another length or alphabet (A09)', async () => {
    for (const host of [
      'abc-pk.btlink',
      `zz${key}.btlink`,
      '-pk.btlink',
      `${'z'.repeat(50)}-pk.btlink`,
    ]) {
      assert.equal((await b.get(host)).status, 400, host)
    }
  })

  it('read a salt from labels, from the hyphen, or both (A10, A11, A12, A13, A16)', async () => {
    await publish(a, site.folder, 'home', '--salt', 'a.b')
    await publish(a, site.folder, 'home', '--salt', 'my-site')
    for (const host of [`a.b.${key}`, `a.b-${key}`, `my-site.${key}`, `my-site-${key}`]) {
      await until(host, async () => (await index(`${host}.btlink`)) === SITE['index.html'])
    }
    assert.equal((await b.get(`nobody.${key}.btlink`)).status, 404)
  })

  it('refuse an empty salt before the hyphen (A14)', async () => {
    assert.equal((await b.get(`-${key}.btlink`)).status, 400)
  })

  it('refuse names beyond the limits (A15)', async () => {
    const long = 'x'.repeat(40)
    assert.equal((await b.get(`${long}.${long}.${key}.btlink`)).status, 400)
    assert.equal((await b.get(`${'y'.repeat(64)}.${key}.btlink`)).status, 400)
  })

  it('answer an immutable item as bytes and in other formats (A18, A20)', async () => {
    const node: LibtorrentPeer = await libtorrentNode(t, {
      host: '127.0.0.13',
      dhtNodes: bootstrap,
    })
    await until('a node to join', async () => {
      node.command('status')
      const { dht } = await node.event<{ dht: number }>('progress', (e) => e.dht > 0, 2000)
      return dht > 0
    })
    node.command('put', { value: 'Hello World!' })
    const { target } = await node.event<{ target: string }>('put')
    assert.equal(target, 'e5f96f6f38320f0f33959cb4d3d656452117aadb')
    const host = `${target}-44.btlink`
    const raw = await b.get(host)
    assert.equal(raw.text(), '12:Hello World!')
    assert.match(raw.headers['cache-control'] ?? '', /immutable/)
    assert.equal((await b.get(host, '/?format=string')).text(), 'Hello World!')
    assert.equal(
      (await b.get(host, '/?format=hex')).text(),
      Buffer.from('12:Hello World!').toString('hex'),
    )
    assert.equal((await b.get(host, '/?format=json')).json(), 'Hello World!')
    assert.equal((await b.get(`${'0'.repeat(40)}-44.btlink`)).status, 404)
    assert.equal((await b.get('xyz-44.btlink')).status, 400)
  })

  it('drop port, trailing dot and case from the Host (A21)', async () => {
    assert.equal(await index(`${key.toUpperCase()}.btlink.:8080`), SITE['index.html'])
  })

  it('open the same below a gateway domain (A22)', async () => {
    assert.equal(await index(`${key}.btlink.localhost:42080`), SITE['index.html'])
    assert.equal(await index(`${site.infoHash}-ih.btlink.localhost`), SITE['index.html'])
  })

  it('list the valid forms where a label has none (A24)', async () => {
    const answer = await b.get('foo.btlink')
    assert.equal(answer.status, 400)
    assert.match(answer.text(), /-ih/)
    assert.match(answer.text(), /-pk/)
  })

  it('believe the request line over the Host header (A25)', async () => {
    const answer = await rawRequest(
      b.port('http'),
      `GET http://${key}.btlink/ HTTP/1.1\r\nHost: foo.btlink\r\nConnection: close\r\n\r\n`,
    )
    assert.match(answer, /^HTTP\/1\.1 200 /)
    assert.ok(answer.endsWith(SITE['index.html']))
  })

  it('redirect the dotted spelling to the hyphen form (A04)', async () => {
    const ih = await b.get(`${site.infoHash}.ih.btlink`, '/a?b')
    assert.equal(ih.status, 307)
    assert.match(ih.headers['location'] ?? '', new RegExp(`//${site.infoHash}-ih\\.btlink/a\\?b$`))
    const pk = await b.get(`s.${key.replace('-pk', '')}.pk.btlink`)
    assert.equal(pk.status, 307)
    assert.match(pk.headers['location'] ?? '', new RegExp(`//s\\.${key}\\.btlink/$`))
  })

  it('survive requests no browser sends', async () => {
    for (const [path, status] of [
      ['//', [200, 308, 400, 404]],
      ['/%zz', [400]],
      ['/a%2Fb', [400, 404]],
      ['/../../etc/passwd', [400, 404]],
      ['/%00', [400, 404]],
      [`/${'a'.repeat(65_536)}`, [400, 414, 431]],
    ] as const) {
      const answer = await b.get(`${key}.btlink`, path)
      assert.ok(
        (status as readonly number[]).includes(answer.status),
        `${path.slice(0, 20)}: ${answer.status}`,
      )
      assert.doesNotMatch(answer.text(), /root:x:0/)
    }
    assert.equal(await index(`${key}.btlink`), SITE['index.html'])
  })
})

function rawRequest(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')))
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
  })
}
