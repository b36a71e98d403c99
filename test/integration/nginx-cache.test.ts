import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { curl } from '../support/curl.ts'
import { createTestDaemon } from '../support/daemon.ts'
import { PYTHON } from '../support/libtorrent.ts'
import { COMPILER, LIBTORRENT_HEADERS, ltPut } from '../support/lt-bep46.ts'
import { base36, libtorrentSite, SITE, smallDht } from '../support/neighbours.ts'
import { missing, start } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const NGINX = '/usr/sbin/nginx'

const configuration = (folder: string, upstream: number) => `
daemon off; worker_processes 1; user root; pid ${folder}/pid; error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/temp;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  proxy_cache_path ${folder}/cache keys_zone=sites:1m;
  server {
    listen unix:${folder}/http;
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_set_header Host $http_host;
      proxy_cache sites;
      proxy_cache_key $http_host$request_uri;
      proxy_cache_lock on;
      add_header X-Cache $upstream_cache_status always;
    }
  }
}
`

const skip = missing(NGINX, PYTHON, COMPILER, LIBTORRENT_HEADERS, '/usr/bin/curl')

// B19: what the box says about caching is enough for a cache that knows nothing of btlink.
describe('nginx in front of the gateway', { skip }, () => {
  it('keeps pages by the headers of the box alone', async (t) => {
    const bootstrap = await smallDht(t)
    const { infoHash, host: torrentHost } = await libtorrentSite(t, bootstrap)
    const seed = randomBytes(32).toString('hex')
    const listen = '127.0.0.15:0'
    const { key } = await ltPut({ bootstrap: bootstrap[0] ?? '', listen, infoHash, seed })
    const box = await createTestDaemon(t, { bootstrap })
    const folder = await tempFolder(t, 'nginx')
    const file = join(folder, 'nginx.conf')
    await writeFile(file, configuration(folder, box.port('http')))
    start(t, NGINX, ['-c', file, '-e', 'stderr'])
    const get = (host: string, path: string, headers: Record<string, string> = {}) =>
      curl(`http://nginx${path}`, { host, headers, more: ['--unix-socket', join(folder, 'http')] })
    await until('nginx', async () => (await get('none.btlink', '/')).status > 0)
    for (const host of [torrentHost, `${base36(key)}-pk.btlink`]) {
      await until(host, async () => (await box.get(host)).status === 200)
    }

    for (const host of [torrentHost, `${base36(key)}-pk.btlink`]) {
      const first = await get(host, '/')
      assert.equal(first.status, 200)
      assert.equal(first.headers['x-cache'], 'MISS')
      assert.equal(first.headers['set-cookie'], undefined)
      const second = await get(host, '/')
      assert.equal(second.headers['x-cache'], 'HIT')
      assert.equal(second.text(), SITE['index.html'])
      assert.equal(second.headers['etag'], first.headers['etag'])
      const etag = { 'if-none-match': first.headers['etag'] ?? '' }
      assert.equal((await get(host, '/', etag)).status, 304)
      assert.equal((await get(host, '/big.bin')).headers['x-cache'], 'MISS')
      const part = await get(host, '/big.bin', { range: 'bytes=500000-500099' })
      assert.equal(part.status, 206)
      assert.equal(part.headers['x-cache'], 'HIT')
      assert.deepEqual(part.body, SITE['big.bin'].subarray(500_000, 500_100))
    }
  })
})
