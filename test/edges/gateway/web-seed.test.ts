import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import WebTorrent from 'webtorrent'
import { encode, encodeRawDict } from '../../../src/base/bencode.ts'
import type { Metainfo } from '../../../src/base/metainfo/metainfo.ts'
import type { FakeFiles } from '../../fakes/library.ts'
import { PYTHON } from '../../support/libtorrent.ts'
import { missing, run, start } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { hostOfTorrent, startGateway } from './fixture.ts'

const fixture = await startGateway({ after: (fn) => after(fn) })
const NAME = 'my site'
const FILES: FakeFiles = {
  'a b.txt': randomBytes(30_000),
  'sub/ü#q?x.html': randomBytes(20_000),
  '100%.bin': randomBytes(50_000),
  'empty.txt': '',
  'plus+and&.txt': randomBytes(1000),
  "deep/er/it's (1).txt": randomBytes(40_000),
}
const multi = await fixture.add(FILES, { name: NAME })
const single = await fixture.add({}, { name: 'one file.bin', single: randomBytes(90_000) })
const padded = await fixture.add({ 'a.bin': randomBytes(10_000), 'b.bin': 'b' }, { padded: true })

const BASE = '/.btlink/webseed/'
const contentOf = (path: string) => Buffer.from(FILES[path] ?? '')

describe('web seed', () => {
  /** Request target as each client writes it, and the file it means. */
  const spellings: [client: string, target: string, path: string][] = [
    ['aria2', `${BASE}my%20site/a%20b.txt`, 'a b.txt'],
    ['aria2', `${BASE}my%20site/sub/%C3%BC%23q%3Fx.html`, 'sub/ü#q?x.html'],
    ['aria2', `${BASE}my%20site/100%25.bin`, '100%.bin'],
    ['libtorrent', `${BASE}my%20site/sub/%c3%bc%23q%3fx.html`, 'sub/ü#q?x.html'],
    ['libtorrent', `${BASE}my%20site/plus%2band%26.txt`, 'plus+and&.txt'],
    ['Transmission 3', `${BASE}my%20site/sub/%C3%BC%23q%5Fx.html`, 'sub/ü#q?x.html'],
    ['webtorrent', `${BASE}my%20site/sub/%C3%BC`, 'sub/ü#q?x.html'],
    ['webtorrent', `${BASE}my%20site/100%.bin`, '100%.bin'],
    ['webtorrent', `${BASE}my%20site/deep/er/it's%20(1).txt`, "deep/er/it's (1).txt"],
    ['anacrolix', `${BASE}my%20site/plus%2Band%26.txt`, 'plus+and&.txt'],
  ]
  for (const [client, target, path] of spellings) {
    it(`answers ${client} asking ${target}`, async () => {
      const host = hostOfTorrent(multi.infoHash)
      const whole = await fixture.ask(host, target)
      assert.equal(whole.status, 200)
      assert.ok(whole.body.equals(contentOf(path)))
      const part = await fixture.ask(host, target, { headers: { range: 'bytes=10-99' } })
      assert.equal(part.status, 206)
      assert.ok(part.body.equals(contentOf(path).subarray(10, 100)))
      const head = await fixture.ask(host, target, { method: 'HEAD' })
      assert.equal(head.headers['content-length'], String(contentOf(path).length))
    })
  }

  it('answers any range of an empty file with nothing', async () => {
    for (const range of ['bytes=0-0', 'bytes=0--1', 'bytes=0-']) {
      const reply = await fixture.ask(hostOfTorrent(multi.infoHash), `${BASE}my%20site/empty.txt`, {
        headers: { range },
      })
      assert.equal(reply.status, 200, range)
      assert.equal(reply.body.length, 0)
    }
  })

  it('serves a single-file torrent at its base and by its name', async () => {
    const host = hostOfTorrent(single.infoHash)
    for (const path of [BASE, `${BASE}one%20file.bin`]) {
      const reply = await fixture.ask(host, path, { headers: { range: 'bytes=5-14' } })
      assert.equal(reply.status, 206, path)
      assert.equal(reply.body.length, 10)
    }
  })

  it('gives zeros for pad files, which no other path shows', async () => {
    const host = hostOfTorrent(padded.infoHash)
    const pad = padded.files.find((file) => file.isPad)
    assert.ok(pad)
    const path = pad.path.join('/')
    const reply = await fixture.ask(host, `${BASE}fake/${path}`)
    assert.equal(reply.status, 200)
    assert.ok(reply.body.equals(Buffer.alloc(pad.length)))
    assert.equal((await fixture.ask(host, `/${path}`)).status, 404)
  })

  it('answers 404 for what is not in the torrent', async () => {
    const host = hostOfTorrent(multi.infoHash)
    for (const path of [
      BASE,
      `${BASE}my%20site`,
      `${BASE}other/a%20b.txt`,
      `${BASE}my%20site/no`,
    ]) {
      assert.equal((await fixture.ask(host, path)).status, 404, path)
    }
  })

  it('stands in the torrent file and the magnet of the site', async () => {
    const host = `${hostOfTorrent(multi.infoHash)}:${fixture.port}`
    const url = `http://${host}${BASE}`
    const torrent = await fixture.ask(host, '/.btlink/site.torrent')
    assert.ok(torrent.body.includes(`8:url-listl${url.length}:${url}e`))
    assert.ok(torrent.body.includes(Buffer.from(multi.info)))
    const listing = await fixture.ask(host, '/')
    assert.ok(listing.text.includes(`ws=${encodeURIComponent(url)}`))
  })
})

/** A web seed under an address, as clients that cannot resolve our names need it; passes targets on as they are. */
async function front(t: TestContext, torrent: Metainfo): Promise<{ url: string; log: string[] }> {
  const log: string[] = []
  const server = createServer((req, res) => {
    log.push(`${req.method} ${req.url} ${req.headers.range ?? ''}`)
    const inner = request(
      {
        host: '127.0.0.1',
        port: fixture.port,
        method: req.method,
        path: req.url,
        headers: { ...req.headers, host: hostOfTorrent(torrent.infoHash) },
      },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(res)
      },
    )
    inner.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${BASE}`, log }
}

/** A torrent file whose only source is the web seed. */
async function torrentIn(folder: string, torrent: Metainfo, url: string): Promise<string> {
  const file = join(folder, 'seed.torrent')
  await writeFile(
    file,
    encodeRawDict(
      new Map([
        ['info', torrent.info],
        ['url-list', encode([url])],
      ]),
    ),
  )
  return file
}

/** @param nameOf the name the client gives a file on disk */
async function assertDownloaded(folder: string, nameOf = (path: string) => path): Promise<void> {
  for (const [path, content] of Object.entries(FILES)) {
    // Transmission makes no empty files.
    if (content.length === 0) continue
    const bytes = await readFile(join(folder, NAME, nameOf(path)))
    assert.ok(bytes.equals(Buffer.from(content)), path)
  }
}

describe('download from the web seed alone', () => {
  it('works with aria2', { skip: missing('/usr/bin/aria2c'), timeout: 30_000 }, async (t) => {
    const folder = await tempFolder(t, 'aria2')
    const { url, log } = await front(t, multi)
    const file = await torrentIn(folder, multi, url)
    const { code, stdout } = await run('/usr/bin/aria2c', [
      '--enable-dht=false',
      '--bt-enable-lpd=false',
      '--enable-peer-exchange=false',
      '--seed-time=0',
      '--file-allocation=none',
      '--console-log-level=warn',
      `--dir=${folder}`,
      file,
    ])
    assert.equal(code, 0, `${stdout}\n${log.join('\n')}`)
    await assertDownloaded(folder)
  })

  it('works with libtorrent', { skip: missing(PYTHON), timeout: 30_000 }, async (t) => {
    const folder = await tempFolder(t, 'lt')
    const { url, log } = await front(t, multi)
    const file = await torrentIn(folder, multi, url)
    const script = `
import libtorrent as lt, sys, time
ses = lt.session({'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False, 'enable_natpmp': False,
  'listen_interfaces': '127.0.0.1:0', 'ssrf_mitigation': False})
h = ses.add_torrent({'ti': lt.torrent_info(sys.argv[1]), 'save_path': sys.argv[2]})
for i in range(200):
  if h.status().is_seeding: break
  time.sleep(0.1)
print(h.status().progress, h.status().is_seeding)
sys.exit(0 if h.status().is_seeding else 1)`
    const { code, stdout, stderr } = await run(PYTHON, ['-c', script, file, folder])
    assert.equal(code, 0, `${stdout}${stderr}\n${log.join('\n')}`)
    await assertDownloaded(folder)
  })

  it('works with Transmission', {
    skip: missing('/usr/bin/transmission-cli'),
    timeout: 40_000,
  }, async (t) => {
    const folder = await tempFolder(t, 'transmission')
    const { url, log } = await front(t, multi)
    const file = await torrentIn(folder, multi, url)
    const config = join(folder, 'config')
    await mkdir(config)
    await writeFile(
      join(config, 'settings.json'),
      JSON.stringify({
        'dht-enabled': false,
        'lpd-enabled': false,
        'pex-enabled': false,
        'utp-enabled': false,
        'port-forwarding-enabled': false,
      }),
    )
    start(t, '/usr/bin/transmission-cli', ['-g', config, '-w', folder, '-p', '0', '-M', file])
    // Transmission replaces what Windows does not allow in names.
    const nameOf = (path: string) => path.replaceAll('?', '_')
    await until(
      'all files',
      async () => {
        await assertDownloaded(folder, nameOf)
        return true
      },
      { timeoutMs: 30_000, everyMs: 300 },
    ).catch((error: unknown) => {
      throw new Error(log.join('\n'), { cause: error })
    })
  })

  it('works with webtorrent', { timeout: 30_000 }, async (t) => {
    const folder = await tempFolder(t, 'webtorrent')
    const { url, log } = await front(t, multi)
    const file = await torrentIn(folder, multi, url)
    const options = {
      dht: false,
      tracker: false,
      lsd: false,
      utp: false,
      natUpnp: false,
      natPmp: false,
    }
    // The engine's own declarations leave web seeds out: it never uses them this way.
    const Client = WebTorrent as unknown as new (
      options: object,
    ) => {
      add(
        file: string,
        options: object,
        done: (torrent: { done: boolean; once(e: 'done', f: () => void): void }) => void,
      ): void
      destroy(done: () => void): void
    }
    const client = new Client(options)
    t.after(() => new Promise<void>((resolve) => client.destroy(resolve)))
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(log.join('\n'))), 20_000)
      client.add(file, { path: folder }, (torrent) => {
        const done = () => {
          clearTimeout(late)
          resolve()
        }
        if (torrent.done) done()
        else torrent.once('done', done)
      })
    })
    // It says so only when every piece has its hash.
    assert.ok(log.length > 0)
  })
})
