import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fromHex } from '../../../src/base/bytes.ts'
import { declareError } from '../../../src/base/errors.ts'
import { infoHash, type PublicKey } from '../../../src/base/hashes.ts'
import type { Health } from '../../../src/base/ports/component.ts'
import type { Publisher } from '../../../src/base/ports/content.ts'
import type { PeerInfo } from '../../../src/base/ports/torrent-engine.ts'
import { type ApiDeps, createApi } from '../../../src/edges/api/index.ts'
import { metricsText } from '../../../src/edges/api/metrics.ts'
import { createFakeStore } from '../../fakes/store.ts'
import { tempFolder } from '../../support/temp.ts'

const IH = infoHash('aa'.repeat(20))
const LINKED = { kind: 'infohash', infoHash: infoHash('cd'.repeat(20)) } as const
const Missing = declareError('BTL_ERR_RESOLVE_NOT_FOUND', 'no record for %s', 404)

interface Reply {
  status: number
  headers: Record<string, unknown>
  text: string
  json(): Record<string, unknown>
}

interface Ask {
  method?: string
  headers?: Record<string, string>
  body?: unknown
}

const ask = (target: object, path: string, { method = 'GET', headers = {}, body }: Ask = {}) =>
  new Promise<Reply>((resolve, reject) => {
    const typed = body === undefined ? {} : { 'content-type': 'application/json' }
    const req = request({ ...target, path, method, headers: { ...typed, ...headers } }, (res) => {
      let text = ''
      res.on('data', (chunk: Buffer) => (text += chunk.toString()))
      res.on('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        }),
      )
    })
    req.on('error', reject)
    req.end(body === undefined ? undefined : JSON.stringify(body))
  })

interface Options {
  /** Below the folder of the test. */
  socketName?: string
  hosts?: string[]
  enabled?: boolean
  health?: Health
  requestHeaders?: boolean
  brokenListeners?: boolean
  /** Whoever asks is none of the house. */
  strangers?: boolean
  peers?: PeerInfo[]
  /** Answers announces. */
  tracker?: boolean
}

async function api(t: TestContext, options: Options = {}) {
  const folder = await tempFolder(t)
  const socketPath = join(folder, options.socketName ?? 'admin.sock')
  const store = createFakeStore()
  const lines: string[] = []
  const calls: { what: string; args: unknown[] }[] = []
  const note =
    (what: string, value?: unknown) =>
    (...args: unknown[]) => {
      calls.push({ what, args })
      return Promise.resolve(value)
    }
  const published = async (
    _: unknown,
    { keyName, salt }: { keyName: string; salt?: Uint8Array },
  ) => ({
    infoHash: IH,
    publicKey: await store.keys.ensure(keyName),
    salt: salt ?? new Uint8Array(0),
    seq: 7,
    changed: true,
    stored: { target: 'bb'.repeat(20), asked: 20, stored: 17, errors: {} },
  })
  const publisher = {
    folder: published,
    point: published,
    pin: note('pin'),
    unpin: note('unpin'),
    pinTorrent: note('pinTorrent'),
    unpinTorrent: note('unpinTorrent'),
    unpublish: note('unpublish'),
  } as unknown as Publisher
  const health = options.health ?? { status: 'ok', score: 100 }
  const deps: ApiDeps = {
    store,
    publisher,
    resolver: {
      resolve: (key: PublicKey) => Promise.reject(new Missing(key)),
    } as unknown as ApiDeps['resolver'],
    dht: { info: () => Promise.reject(new Error('down')) },
    engine: {
      torrents: async () => [],
      peers: async () => options.peers ?? [],
      listening: async () => ({ port: 1, stats: {} }),
      status: async () => undefined,
    },
    pki: {} as ApiDeps['pki'],
    links: {
      async find(domain) {
        if (domain !== 'linked.example') return undefined
        return { name: LINKED, hints: {}, secondsLeft: 60 }
      },
      known: () => undefined,
    },
    dns: undefined,
    health: { check: async () => ({ ...health, components: { store: health } }) },
    stats: async () => ({ resolve: { lookups: 3 } }),
    async listeners() {
      if (options.brokenListeners) throw new Error('/secret path/x')
      return { http: { port: 42080 } }
    },
    tracker: {
      answer(req, res) {
        if (options.tracker !== true || req.url?.startsWith('/announce') !== true) return false
        res.end('d14:failure reason2:noe')
        return true
      },
      upgrade: (_, socket) => {
        if (options.tracker === true) socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
        return options.tracker === true
      },
    },
    announceUrls: () => [],
    clock: { view: () => ({ state: 'floor', now: 86_400_000, floor: 0 }) },
    doctor: {
      report: async (only) => ({
        results: [{ id: (only ?? ['all']).join('+'), state: 'ok', line: '', severity: 'some' }],
        failed: 0,
        warnings: 0,
        unknown: 0,
        ok: 1,
      }),
      fix: async (id) => ({ id, done: 'mended' }),
    },
    isHouse: (address) => address === '127.0.0.1' && options.strangers !== true,
    log: {
      debug() {},
      warn() {},
      info: (fields) => void lines.push(JSON.stringify(fields)),
      error: (fields) => void lines.push(JSON.stringify(fields)),
    },
  }
  const started = createApi(deps, {
    gateway: {
      enabled: options.enabled ?? true,
      address: '127.0.0.1',
      port: 0,
      max_upload_size: 1,
      hosts: options.hosts ?? [],
    },
    tld: 'btlink',
    requestHeaders: options.requestHeaders ?? false,
    adminSocket: socketPath,
    maxSockets: 0,
    mode: 'unified',
    version: '0.0.0',
  })
  t.after(() => started.stop())
  await started.start(new AbortController().signal)
  return {
    port: started.port,
    socketPath,
    store,
    lines,
    calls,
    component: started,
    tcp: (path: string, more?: Ask) => ask({ host: '127.0.0.1', port: started.port }, path, more),
    socket: (path: string, more?: Ask) => ask({ socketPath }, path, more),
  }
}

describe('the API', () => {
  it('says how it is: 200 with a component map, 503 when down (H27)', async (t) => {
    const { tcp } = await api(t)
    const well = await tcp('/api/health')
    assert.equal(well.status, 200)
    assert.deepEqual(well.json(), {
      status: 'ok',
      score: 100,
      components: { store: { status: 'ok', score: 100 } },
    })
    const down = await api(t, { health: { status: 'down', score: 0, detail: 'gone' } })
    assert.equal((await down.tcp('/api/health')).status, 503)
  })

  it('answers an unknown route and bad input with JSON that names them (H17)', async (t) => {
    const { tcp } = await api(t)
    const missing = await tcp('/api/nothing')
    assert.equal(missing.status, 404)
    const { requestId, ...rest } = missing.json()
    assert.deepEqual(rest, {
      error: 'Not Found',
      code: 'BTL_ERR_API_NO_ROUTE',
      message: 'there is no GET /api/nothing',
    })
    assert.equal(missing.headers['x-request-id'], requestId)
    const bad = await tcp('/api/resolve?name=zz-ih.btlink')
    assert.equal(bad.status, 400)
    assert.equal(bad.json()['code'], 'BTL_ERR_BASE_BAD_NAME')
    const body = await tcp('/api/keys', { method: 'POST', body: { nam: 'x' } })
    assert.equal(body.status, 400)
    const extra = await tcp('/api/keys', { method: 'POST', body: { name: 'x', nam: 'y' } })
    assert.equal(extra.status, 400)
    const large = await tcp('/api/keys', { method: 'POST', body: { name: 'x'.repeat(70_000) } })
    assert.equal(large.status, 413)
  })

  it('says where a domain with a link record leads, and that another has none', async (t) => {
    const { tcp } = await api(t)
    const found = (await tcp('/api/resolve?name=linked.example')).json()
    assert.equal(found['domain'], 'linked.example')
    assert.equal(found['infoHash'], LINKED.infoHash)
    for (const name of ['other.example', 'linked.example&local=true']) {
      const none = await tcp(`/api/resolve?name=${name}`)
      assert.equal(none.status, 404)
      assert.equal(none.json()['code'], 'BTL_ERR_API_NO_LINK')
      assert.match(String(none.json()['message']), /_btlink\.(other|linked)\.example/)
    }
  })

  it('turns magnets into names and names into magnets (D17)', async (t) => {
    const { tcp } = await api(t)
    for (const name of [`magnet:?xt=urn:btih:${LINKED.infoHash}`, `${LINKED.infoHash}-ih.btlink`]) {
      const said = (await tcp(`/api/resolve?name=${encodeURIComponent(name)}`)).json()
      assert.equal(said['infoHashHost'], `${LINKED.infoHash}-ih.btlink`)
      assert.equal(said['infoHashMagnet'], `magnet:?xt=urn:btih:${LINKED.infoHash}`)
    }
  })

  it('keeps the codes of other rooms', async (t) => {
    const { tcp, store } = await api(t)
    await store.keys.ensure('home')
    const answer = await tcp('/api/resolve?name=home')
    assert.equal(answer.status, 404)
    assert.equal(answer.json()['code'], 'BTL_ERR_RESOLVE_NOT_FOUND')
  })

  it('answers strangers by a name of gateway.hosts alone', async (t) => {
    const { tcp, port } = await api(t, { hosts: ['box.example'], strangers: true })
    for (const path of ['/api/health', '/metrics', '/api/sites']) {
      const refused = await tcp(path, { headers: { host: `127.0.0.1:${port}` } })
      assert.equal(refused.status, 403, path)
      assert.equal(refused.json()['code'], 'BTL_ERR_API_NOT_ALLOWED')
    }
    assert.equal((await tcp('/metrics', { headers: { host: 'box.example' } })).status, 200)
  })

  it('refuses hosts that are not its own with 421', async (t) => {
    const { tcp, port } = await api(t, { hosts: ['box.example'] })
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost:1',
      '127.0.0.1.evil',
      '-',
    ]) {
      const { status } = await tcp('/api/health', { headers: { host } })
      assert.equal(status, 421, host)
    }
    for (const host of [
      `localhost:${port}`,
      `127.0.0.1:${port}`,
      `LOCALHOST:${port}`,
      'box.example',
    ]) {
      assert.equal((await tcp('/api/health', { headers: { host } })).status, 200, host)
    }
  })

  it('administers for the box itself only: no other site, no proxy in between', async (t) => {
    const { tcp, port } = await api(t)
    const status = async (headers: Record<string, string>, method = 'GET') =>
      (
        await tcp('/api/keys', {
          headers,
          method,
          ...(method === 'POST' && { body: { name: 'k' } }),
        })
      ).status
    assert.equal(await status({}), 200)
    assert.equal(await status({ 'sec-fetch-site': 'cross-site' }), 403)
    assert.equal(await status({ 'sec-fetch-site': 'same-site' }), 403)
    assert.equal(await status({ 'x-forwarded-for': '10.0.0.1' }), 403)
    assert.equal(await status({ origin: 'http://evil.example' }, 'POST'), 403)
    assert.equal(await status({ origin: 'null' }, 'POST'), 403)
    assert.equal(await status({ origin: `http://127.0.0.1:${port}` }, 'POST'), 201)
  })

  it('publishes folders over the socket and not over the port (B35)', async (t) => {
    const { tcp, socket } = await api(t)
    const body = { folder: '/srv/site', key: 'home', salt: 'blog' }
    const refused = await tcp('/api/sites/publish', { method: 'POST', body })
    assert.equal(refused.status, 403)
    const done = await socket('/api/sites/publish', { method: 'POST', body })
    assert.equal(done.status, 200, done.text)
    const said = done.json()
    assert.equal(said['seq'], 7)
    assert.equal(said['infoHash'], IH)
    assert.match(String(said['host']), /^blog\.[0-9a-z]+-pk\.btlink$/)
    assert.match(String(said['magnet']), /^magnet:\?xs=urn:btpk:[0-9a-f]{64}&s=626c6f67$/)
    assert.equal((said['urls'] as string[])[0], `http://${String(said['host'])}.localhost:42080/`)
    assert.deepEqual(said['stored'], { asked: 20, stored: 17, errors: {} })
    const relative = await socket('/api/sites/publish', {
      method: 'POST',
      body: { ...body, folder: 'x' },
    })
    assert.equal(relative.status, 400)
  })

  it('makes keys and names them, never showing a seed (B35)', async (t) => {
    const { socket, store } = await api(t)
    const made = await socket('/api/keys', { method: 'POST', body: { name: 'home' } })
    assert.equal(made.status, 201)
    const listed = await socket('/api/keys')
    assert.match(listed.text, new RegExp(String(made.json()['base36'])))
    const seed = Buffer.from(await store.keys.exportSeed('home')).toString('hex')
    assert.doesNotMatch(made.text + listed.text, new RegExp(seed))
  })

  it('pins sites and torrents, and unpublishes only its own', async (t) => {
    const { socket, store, calls } = await api(t)
    const publicKey = await store.keys.ensure('home')
    const post = (path: string) => socket(path, { method: 'POST' })
    assert.equal((await post('/api/sites/home/pin')).status, 200)
    assert.equal((await post(`/api/sites/${IH}/unpin`)).status, 200)
    assert.equal((await post('/api/sites/home/unpublish')).status, 404)
    store.sites.saveSite({
      publicKey,
      salt: new Uint8Array(0),
      keyName: 'home',
      watched: false,
      pinned: false,
    })
    assert.equal((await post('/api/sites/home/unpublish')).status, 200)
    assert.deepEqual(
      calls.map(({ what }) => what),
      ['pin', 'unpinTorrent', 'unpublish'],
    )
    const { sites } = (await socket('/api/sites')).json() as { sites: Record<string, unknown>[] }
    assert.equal(sites[0]?.['kind'], 'own')
  })

  it('lists versions newest first with time, infohash and signature', async (t) => {
    const { socket, store } = await api(t)
    const publicKey = await store.keys.ensure('home')
    for (const seq of [1, 2]) {
      store.sites.remember({
        publicKey,
        salt: new Uint8Array(0),
        seq,
        value: fromHex('00'),
        signature: new Uint8Array(64),
        infoHash: IH,
        firstSeenAt: 1000 * seq,
        confirmedAt: 1000 * seq,
      })
    }
    const { versions } = (await socket('/api/sites/home/versions')).json() as {
      versions: Record<string, unknown>[]
    }
    assert.deepEqual(
      versions.map(({ seq, firstSeenAt }) => [seq, firstSeenAt]),
      [
        [2, '1970-01-01T00:00:02.000Z'],
        [1, '1970-01-01T00:00:01.000Z'],
      ],
    )
  })

  it('converts between encodings (F03)', async (t) => {
    const { tcp } = await api(t)
    const answer = await tcp('/api/convert?from=hex&to=base64url&value=00ff')
    assert.deepEqual(answer.json(), { value: 'AP8' })
    assert.equal((await tcp('/api/convert?from=hex&to=base99&value=00')).status, 400)
  })

  it('shows its state while the swarm is down (P07)', async (t) => {
    const { tcp } = await api(t)
    const status = (await tcp('/api/status')).json()
    assert.deepEqual(status['listeners'], { http: { port: 42080 } })
    assert.equal(status['mode'], 'unified')
    assert.deepEqual(status['clock'], {
      state: 'floor',
      now: '1970-01-02T00:00:00.000Z',
      floor: '1970-01-01T00:00:00.000Z',
    })
    assert.equal('dht' in status, false)
  })

  it('gives its numbers to Prometheus and describes itself', async (t) => {
    const { tcp } = await api(t)
    const metrics = await tcp('/metrics')
    assert.match(metrics.text, /^resolve_lookups 3$/m)
    assert.match(metrics.text, /^health_score_store 100$/m)
    assert.match(String(metrics.headers['content-type']), /version=0\.0\.4/)
    const { openapi, paths } = (await tcp('/api/openapi.json')).json() as {
      openapi: string
      paths: Record<string, object>
    }
    assert.equal(openapi, '3.1.0')
    assert.deepEqual(Object.keys(paths['/api/sites/{name}/versions'] ?? {}), ['get'])
    assert.ok(paths['/api/sites/publish'])
  })

  it('writes request headers only when asked, without credentials (C34)', async (t) => {
    const quiet = await api(t)
    await quiet.tcp('/api/health', { headers: { authorization: 'Bearer s3cret' } })
    assert.deepEqual(quiet.lines, [])
    const loud = await api(t, { requestHeaders: true })
    const headers = { authorization: 'Bearer s3cret', cookie: 's3cret', 'x-plain': 'seen' }
    await loud.tcp('/api/health', { headers })
    assert.match(loud.lines.join(), /seen/)
    assert.doesNotMatch(loud.lines.join(), /s3cret/)
  })

  it('leaves only the socket where gateway.enabled is false, for its group alone (Q05)', async (t) => {
    const { component, socketPath, socket } = await api(t, { enabled: false })
    assert.equal(component.port, 0)
    assert.equal((await socket('/api/health')).status, 200)
    assert.equal((await stat(socketPath)).mode & 0o777, 0o660)
  })

  it('stops twice and starts again on the socket a killed daemon left', async (t) => {
    const { component, socket } = await api(t)
    await component.stop()
    await component.stop()
    await component.start(new AbortController().signal)
    assert.equal((await socket('/api/health')).status, 200)
  })
})

describe('what no client should send', () => {
  /** Bytes as they are, since a client library would mend them. */
  const raw = (port: number, text: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(text))
      let answer = ''
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString()
        socket.end()
      })
      socket.on('close', () => resolve(answer))
      socket.on('error', reject)
    })

  it('is refused with a status of its own, and the next request is answered', async (t) => {
    const { port, tcp } = await api(t)
    const host = `Host: localhost:${port}\r\n`
    const get = (target: string) => raw(port, `GET ${target} HTTP/1.1\r\n${host}\r\n`)
    const cases: [string, number[]][] = [
      ['//', [404]],
      ['/api/sites/%zz/versions', [400]],
      ['/api/sites/%00/versions', [400]],
      ['/api/sites/..%2f..%2fetc/versions', [400]],
      [`/api/sites/${'a'.repeat(5000)}/versions`, [400, 404, 414]],
      [`/${'a'.repeat(65_536)}`, [431]],
      ['http://evil.example/api/keys', [421]],
      [`http://localhost:${port}@evil.example/api/keys`, [421]],
      ['*', [400, 404]],
      ['/api/resolve?name=%ff', [400]],
    ]
    for (const [target, allowed] of cases) {
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(await get(target))?.[1])
      assert.ok(allowed.includes(status), `${target.slice(0, 60)} gave ${status}`)
    }
    for (const second of ['evil.example', `localhost:${port}`]) {
      const answer = await raw(port, `GET /api/keys HTTP/1.1\r\n${host}Host: ${second}\r\n\r\n`)
      assert.match(answer, /^HTTP\/1\.1 400/, second)
    }
    assert.match(await raw(port, 'GET /api/health HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 4\d\d/)
    assert.equal((await tcp('/api/health')).status, 200)
  })

  it('says nothing of the inside when a part throws what it should not', async (t) => {
    const { tcp, lines } = await api(t, { brokenListeners: true })
    const answer = await tcp('/api/status')
    assert.equal(answer.status, 500)
    assert.equal(answer.json()['code'], 'BTL_ERR_HTTP_INTERNAL')
    assert.doesNotMatch(answer.text, /secret path/)
    assert.match(lines.join(), /secret path/)
    assert.match(lines.join(), new RegExp(String(answer.json()['requestId'])))
  })
})

describe('the admin socket', () => {
  it('has a path that the kernel does not cut, or there is no start', async (t) => {
    await assert.rejects(api(t, { socketName: 'x'.repeat(120) }), {
      code: 'BTL_ERR_API_SOCKET_PATH_TOO_LONG',
    })
  })
})

describe('metrics', () => {
  it('are valid names in snake case, each room before its own', () => {
    assert.equal(
      metricsText({
        dht: { packetsSent: 2, nodes4: 1 },
        resolve: { resolve_lookups: 3 },
        x: { y: NaN },
      }),
      'dht_nodes4 1\ndht_packets_sent 2\nresolve_lookups 3\n',
    )
  })

  it('lists the peers of a torrent with kind, source and speed (P01, P07)', async (t) => {
    const { socket, tcp } = await api(t, {
      peers: [
        {
          address: '192.168.1.7:6881',
          kind: 'webrtc',
          source: 'tracker',
          downloadedBytes: 5,
          uploadedBytes: 6,
          downloadBytesPerSecond: 1,
          uploadBytesPerSecond: 2,
        },
      ],
    })
    const reply = await socket(`/api/sites/${IH}/peers`)
    assert.equal(reply.status, 200)
    const { infoHash: hash, peers } = reply.json() as { infoHash: string; peers: unknown[] }
    assert.equal(hash, IH)
    assert.deepEqual(peers, [
      {
        address: '192.168.1.7:6881',
        kind: 'webrtc',
        source: 'tracker',
        downloadedBytes: 5,
        uploadedBytes: 6,
        downloadBytesPerSecond: 1,
        uploadBytesPerSecond: 2,
      },
    ])
    assert.equal((await tcp('/api/sites/nonsense!/peers')).status, 400)
  })

  it('lets the tracker answer before any route, whatever the Host', async (t) => {
    const { tcp } = await api(t, { tracker: true })
    const reply = await tcp('/announce?x', { headers: { host: 'elsewhere.example' } })
    assert.equal(reply.text, 'd14:failure reason2:noe')
    assert.equal((await tcp('/api/health')).status, 200)
  })

  it('refuses an upgrade that nobody takes', async (t) => {
    const { port } = await api(t)
    const socket = connect(port, '127.0.0.1')
    socket.write(
      `GET /nothing HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    )
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    assert.match(text, /^HTTP\/1\.1 404 /)
  })

  it('stops although a browser still holds its WebSocket', async (t) => {
    const { port, component } = await api(t, { tracker: true })
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    const upgrade = `Host: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket`
    socket.write(`GET /announce HTTP/1.1\r\n${upgrade}\r\n\r\n`)
    await once(socket, 'data')
    await component.stop()
    if (!socket.closed) await once(socket, 'close')
  })
})
