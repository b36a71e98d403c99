import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { after, describe, it } from 'node:test'
import { curl } from '../support/curl.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { publish, SITE } from '../support/neighbours.ts'
import { missing, run } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

const CURL = '/usr/bin/curl'
const all = { after: (fn: () => void | Promise<void>) => after(fn) }

describe('a gateway and a proxy on two boxes', { skip: missing(CURL) }, async () => {
  const gateway = await createTestDaemon(all, {
    mode: 'gateway-only',
    config: { proxy: { http_port: 0, https_port: 0, socks_port: 0 } },
  })
  const folder = join(await tempFolder(all, 'site'), 'site')
  await writeSite(folder, SITE)
  const { infoHash } = await publish(gateway, folder, 'home')
  const host = `${infoHash}-ih.btlink`
  const at = `http://127.0.0.1:${gateway.port('http')}`
  const proxy = await createTestDaemon(all, {
    mode: 'proxy-only',
    config: { proxy: { gateway: at, http_port: 0, https_port: 0 }, dns: { enabled: false } },
  })
  const door = `http://127.0.0.1:${proxy.port('http')}`
  const ca = join(await tempFolder(all, 'ca'), 'ca.pem')
  const root = await curl(`${door}/.btlink/rootca.pem`)
  assert.equal(root.status, 200, root.text())
  await writeFile(ca, root.body)
  const more = ['--suppress-connect-headers', '-x', door, '--cacert', ca]

  it('C28 open names over http and https', async () => {
    for (const scheme of ['http', 'https']) {
      const answer = await curl(`${scheme}://${host}/`, { more })
      assert.equal(answer.text(), SITE['index.html'], scheme)
      assert.equal(answer.headers['content-security-policy'], 'treat-as-public-address', scheme)
    }
    const large = await curl(`https://${host}/big.bin`, { more: [...more, '-r', '1000-2000'] })
    assert.equal(large.status, 206)
    assert.deepEqual(large.body, SITE['big.bin'].subarray(1000, 2001))
  })

  it('C28 have no more parts than they need: the proxy neither store nor swarm', async () => {
    assert.equal(await proxy.rolePid('swarm'), undefined)
    assert.equal(await proxy.rolePid('dns'), undefined)
    assert.deepEqual((await readdir(proxy.state)).toSorted(), ['pki', 'run'])
    assert.equal(await gateway.rolePid('dns'), undefined)
    assert.throws(() => gateway.port('socks'))
  })

  it('C11 C12 tell browsers of the box with the proxy, whatever the host', async () => {
    for (const target of [`http://${host}/.btlink/proxy.pac`, `${door}/wpad.dat`]) {
      const pac = await curl(target, { more: target.startsWith(door) ? [] : more })
      assert.match(pac.text(), new RegExp(`PROXY 127\\.0\\.0\\.1:${proxy.port('http')};`))
    }
  })

  it('C29 lead to no other site from the gateway: 403 by absolute form and CONNECT, nothing looked up', async () => {
    for (const target of ['http://example.com/', 'http://192.0.2.1/', 'https://example.com/']) {
      const told = ['-sS', '-o', '/dev/null', '-w', '%{http_code} %{http_connect}']
      const refused = await run(CURL, told.concat('-x', at, target))
      assert.match(refused.stdout, /^(?:403 000|000 403)$/, target)
    }
    const told = await curl('http://example.com/', { more: ['-x', at] })
    assert.equal((told.json() as { code: string }).code, 'BTL_ERR_PROXY_GATEWAY_ONLY')
    // Names are its business, by whatever way they are asked for.
    assert.equal((await curl(`http://${host}/`, { more: ['-x', at] })).status, 200)
    assert.equal((await curl(`${at}/`, { more: ['-x', at] })).status, 200)
  })

  it('C28 lead to other sites from the proxy, by its rules', async () => {
    const told = await curl('http://192.168.1.1/', { more })
    assert.equal((told.json() as { code: string }).code, 'BTL_ERR_PROXY_PRIVATE_ADDRESS')
  })
})

describe('a proxy that is told no gateway', () => {
  it('C28 does not start, and says which key is missing', async (t) => {
    const folder = await tempFolder(t, 'no-gateway')
    const config = join(folder, 'btlinkd.yaml')
    await writeFile(config, 'mode: proxy-only\n')
    const args = ['serve', '--config', config, '--state', join(folder, 'state')]
    const { code, stderr } = await run(execPath, [join(ROOT, 'src/app/launch.mjs'), ...args], {
      env: { ...process.env, BTL_RUN_SOURCES: '1' },
    })
    assert.equal(code, 78, stderr)
    assert.match(stderr, /\/proxy\/gateway is empty/)
  })
})
