import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { describe, it } from 'node:test'
import { torrentFilePath } from '../../../src/base/layout.ts'
import { decodeInfo } from '../../../src/base/metainfo/decode.ts'
import { webSeedUrl } from '../../../src/engines/torrent/pieces/web-seeds.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { layDown, makeTorrentOf, type MadeTorrent, pattern } from '../../support/torrents.ts'
import { loopback, startEngine } from './support.ts'

const PIECE = 32 * 1024
const signal = (ms = 12_000) => AbortSignal.timeout(ms)

interface WebServer {
  port: number
  paths: string[]
}

async function webServer(
  t: Cleanup,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<WebServer> {
  const paths: string[] = []
  const server = createServer((request, response) => {
    paths.push(request.url ?? '')
    answer(request, response)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  finallyDo(t, () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return { port: typeof address === 'object' && address ? address.port : 0, paths }
}

/** Serves files by decoded path, with ranges. */
const serving =
  (files: Record<string, Uint8Array>, spoil = false) =>
  (request: IncomingMessage, response: ServerResponse) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '')
    const bytes = files[path]
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    if (bytes === undefined || from === undefined || to === undefined) {
      response.writeHead(404).end()
      return
    }
    const part = Buffer.from(bytes.subarray(Number(from), Number(to) + 1))
    if (spoil) part[0] = (part[0] ?? 0) ^ 1
    response.writeHead(206, {
      'content-length': part.length,
      'content-range': `bytes ${from}-${to}/${bytes.length}`,
    })
    response.end(part)
  }

const tricky = (): MadeTorrent =>
  makeTorrentOf(
    [
      { path: ['a #1?.txt'], bytes: pattern(PIECE + 5, 2) },
      { path: ['100% & ü', 'b+c.bin'], bytes: pattern(2 * PIECE, 3) },
      { path: ['c'], bytes: pattern(99, 4) },
    ],
    { name: 'my site' },
  )
const trickyFiles = (made: MadeTorrent) =>
  Object.fromEntries(
    made.files.map(({ path, bytes }) => [`/files/my site/${path.join('/')}`, bytes]),
  )

describe('a web seed', () => {
  it('gives all files of a torrent, whatever their names', async (t) => {
    const made = tricky()
    const server = await webServer(t, serving(trickyFiles(made)))
    const box = await startEngine(t)
    const webSeeds = [`http://127.0.0.1:${server.port}/files/`]
    await box.engine.add(made.info, { hints: { webSeeds } })
    for (const [index, { bytes }] of made.files.entries()) {
      const range = { start: 0, end: bytes.length }
      await box.engine.want(made.infoHash, index, range, 'soon', signal())
      const got = await readFile(torrentFilePath(box.layout, made.infoHash, index))
      assert.ok(got.equals(Buffer.from(bytes)))
    }
    const [peer] = await box.engine.peers(made.infoHash)
    assert.deepEqual([peer?.kind, peer?.source, peer?.address], ['webseed', 'webseed', webSeeds[0]])
  })

  it('gives a single file at its own address, behind a redirect', async (t) => {
    const content = pattern(3 * PIECE + 7)
    const made = makeTorrentOf(content, { name: 'film' })
    const target = await webServer(t, serving({ '/film': content }))
    const server = await webServer(t, (_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${target.port}/film` }).end()
    })
    const box = await startEngine(t)
    const webSeeds = [`http://127.0.0.1:${server.port}/get?id=1`]
    await box.engine.add(made.info, { hints: { webSeeds } })
    const range = { start: 0, end: content.length }
    await box.engine.want(made.infoHash, 0, range, 'background', signal())
  })

  it('that sends bad bytes is left for a peer', async (t) => {
    const content = pattern(4 * PIECE)
    const made = makeTorrentOf(content, { name: 'film' })
    const server = await webServer(t, serving({ '/film': content }, true))
    const seeder = await startEngine(t)
    await layDown(seeder.layout.torrents, made)
    await seeder.engine.add(made.info, { verified: true })
    await seeder.engine.seed(made.infoHash)
    const box = await startEngine(t)
    const webSeeds = [`http://127.0.0.1:${server.port}/film`]
    await box.engine.add(made.info, { hints: { webSeeds, ...loopback(seeder.port) } })
    const range = { start: 0, end: content.length }
    await box.engine.want(made.infoHash, 0, range, 'now', signal())
    assert.ok(server.paths.length <= 8, `${server.paths.length}`)
  })

  for (const [what, answer] of Object.entries({
    'the whole file without a length': (_: IncomingMessage, response: ServerResponse) => {
      const timer = setInterval(() => response.write(Buffer.alloc(100_000)), 1)
      response.on('close', () => clearInterval(timer))
      response.on('error', () => {})
    },
    'fewer bytes than it says': (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(206, { 'content-length': 10 })
      response.end('0123456789')
    },
    'more bytes than were asked for': (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(206)
      response.end(Buffer.alloc(5_000_000))
    },
    'a page that says no': (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(404).end('no')
    },
  })) {
    it(`that answers with ${what} is not asked without end`, async (t) => {
      const made = makeTorrentOf(pattern(2 * PIECE), { name: 'film' })
      const server = await webServer(t, answer)
      const box = await startEngine(t)
      const webSeeds = [`http://127.0.0.1:${server.port}/film`]
      await box.engine.add(made.info, { hints: { webSeeds } })
      const range = { start: 0, end: 10 }
      await assert.rejects(box.engine.want(made.infoHash, 0, range, 'now', signal(1000)))
      assert.ok(server.paths.length <= 6, `${server.paths.length}`)
      assert.equal((await box.engine.status(made.infoHash))?.verifiedBytes, 0)
    })
  }

  it('in the own network is not asked, by whatever name or redirect it is reached', async (t) => {
    const made = makeTorrentOf(pattern(PIECE), { name: 'film' })
    const server = await webServer(t, (_request, response) => {
      response.end('secret')
    })
    const box = await startEngine(t, { allow_local: false })
    const hosts = ['127.0.0.1', 'localhost', '[::1]', '[::ffff:7f00:1]', '0x7f.1', '0', '127.1']
    const webSeeds = hosts.map((host) => `http://${host}:${server.port}/admin`)
    await box.engine.add(made.info, { hints: { webSeeds } })
    const range = { start: 0, end: 10 }
    await assert.rejects(box.engine.want(made.infoHash, 0, range, 'now', signal(1000)))
    assert.deepEqual(server.paths, [])
  })

  it('address is made of its base and the names of the torrent', () => {
    const many = decodeInfo(tricky().info)
    const one = decodeInfo(makeTorrentOf(pattern(9), { name: 'f #1' }).info)
    assert.equal(
      webSeedUrl('https://h/x', many, 1),
      'https://h/x/my%20site/100%25%20%26%20%C3%BC/b%2Bc.bin',
    )
    assert.equal(webSeedUrl('https://h/x/', many, 0), 'https://h/x/my%20site/a%20%231%3F.txt')
    assert.equal(webSeedUrl('https://h/x?y=1', one, 0), 'https://h/x?y=1')
    assert.equal(webSeedUrl('https://h/x/', one, 0), 'https://h/x/f%20%231')
  })
})
