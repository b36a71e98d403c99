import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { missing, start } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { hostOfTorrent, startGateway, type Fixture, type Reply } from './fixture.ts'

const NGINX = '/usr/sbin/nginx'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

type Ask = (host: string, path: string, headers?: Record<string, string>) => Promise<Reply>

/** nginx as a caching reverse proxy before the gateway, as its manual has it. */
async function nginx(t: TestContext, fixture: Fixture): Promise<Ask> {
  const home = await tempFolder(t, 'nginx')
  const port = await freePort()
  await writeFile(
    join(home, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${home}/pid; error_log ${home}/error.log; user root;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${home}/b; proxy_temp_path ${home}/p; fastcgi_temp_path ${home}/f;
  uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
  proxy_cache_path ${home}/cache keys_zone=sites:1m;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${fixture.port};
      proxy_http_version 1.1;
      proxy_set_header Host gateway.internal;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Connection "";
      proxy_cache sites;
      proxy_cache_key $http_host$request_uri;
      add_header X-Cache $upstream_cache_status always;
    }
  }
}`,
  )
  start(t, NGINX, ['-c', join(home, 'nginx.conf')])
  const ask: Ask = async (host, path, headers = {}) =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, headers: { host, ...headers }, agent: false }
      const req = request(options, (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        res.on('error', reject)
        res.on('end', () => {
          const body = Buffer.concat(chunks)
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body, text: String(body) })
        })
      })
      req.on('error', reject)
      req.end()
    })
  await until('nginx', async () => (await ask('btlink.example', '/')).status > 0)
  return ask
}

describe('behind nginx', { skip: missing(NGINX) }, () => {
  it('is cached as its headers say, and asked once', async (t) => {
    const fixture = await startGateway(t, { btlink: { trusted_proxies: ['127.0.0.0/8'] } })
    const ask = await nginx(t, fixture)
    const bytes = randomBytes(300_000)
    const { infoHash } = await fixture.add({ 'index.html': 'home', 'big.bin': bytes })
    const host = hostOfTorrent(infoHash)
    for (const path of ['/', '/big.bin']) {
      const first = await ask(host, path)
      assert.equal(first.headers['x-cache'], 'MISS', path)
      const before = fixture.gateway.stats()['requests_total']
      const second = await ask(host, path)
      assert.equal(second.headers['x-cache'], 'HIT', path)
      assert.equal(fixture.gateway.stats()['requests_total'], before)
      assert.ok(second.body.equals(first.body))
      assert.equal(second.headers['set-cookie'], undefined)
      assert.equal(second.headers['x-btlink-infohash'], infoHash)
    }
    const part = await ask(host, '/big.bin', { range: 'bytes=10-19' })
    assert.equal(part.status, 206)
    assert.ok(part.body.equals(bytes.subarray(10, 20)))
  })

  it('is not cached where a body breaks off', async (t) => {
    const fixture = await startGateway(t, {
      btlink: { trusted_proxies: ['127.0.0.1'], wait_timeout: 400 },
    })
    const ask = await nginx(t, fixture)
    const bytes = randomBytes(500_000)
    const { infoHash } = await fixture.add({ 'f.bin': bytes }, { missing: true })
    fixture.arrive(infoHash, 0, 0, 100_000)
    const host = hostOfTorrent(infoHash)
    const broken = await ask(host, '/f.bin').catch(() => undefined)
    assert.ok(broken === undefined || broken.body.length < bytes.length)
    fixture.arrive(infoHash, 0, 100_000, bytes.length)
    const whole = await ask(host, '/f.bin')
    assert.notEqual(whole.headers['x-cache'], 'HIT')
    assert.ok(whole.body.equals(bytes))
  })

  it('writes links as the client reached it, and believes only proxies it trusts', async (t) => {
    const fixture = await startGateway(t, { btlink: { trusted_proxies: ['127.0.0.1'] } })
    const ask = await nginx(t, fixture)
    const { infoHash } = await fixture.add({ 'a.txt': 'x' })
    const host = `${infoHash}-ih.btlink.gw.example`
    const { text } = await ask(host, '/')
    assert.ok(text.includes(encodeURIComponent(`https://${host}/.btlink/webseed/`)))
    const wary = await startGateway(t)
    const other = await wary.add({ 'a.txt': 'x' })
    const reply = await wary.ask(hostOfTorrent(other.infoHash), '/', {
      headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    })
    assert.equal(reply.status, 200)
    assert.doesNotMatch(reply.text, /evil\.example|https:/)
  })
})
