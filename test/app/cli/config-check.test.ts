/** What only a room can judge is told by `config check` too, before a daemon is started on it. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { configVerb } from '../../../src/app/cli/config.ts'
import { run } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'
import { tempFolder } from '../../support/temp.ts'

const btlinkd = (...args: string[]) =>
  run(process.execPath, [join(ROOT, 'src/app/launch.mjs'), ...args], {
    env: { ...process.env, BTL_RUN_SOURCES: '1' },
  })

const BAD: [yaml: string, said: RegExp][] = [
  ["upstream: { servers: ['nonsense!'] }", /"nonsense!" is no DNS server/],
  ["upstream: { fallback: ['udp://'] }", /"udp:\/\/" is no DNS server/],
  ["upstream: { routes: ['x'] }", /domain=server is the form/],
  ["upstream: { bootstrap: ['tls://a.b'] }", /a bootstrap server needs an address/],
  ["dns: { listen: ['here'] }", /"here" is no address/],
  ["dns: { listen: ['8.8.8.8'] }", /8\.8\.8\.8 is a public address/],
  ["dns: { allow: ['them'] }", /"them" is no address or network/],
  ["dns: { records: ['nas'] }", /"nas" is no record/],
  ["dns: { link_records: ['a.example'] }", /"a\.example" is no link record/],
  ["dns: { front: ['53'] }", /dns\.front: "53"/],
  ["dns: { local_domains: ['a..b'] }", /"a\.\.b" is no domain name/],
  ["pki: { link_domains: ['com'] }", /pki\.link_domains: "com" is a top-level domain/],
  ["pac: { proxy_domains: ['a b'] }", /pac\.proxy_domains: "a b"/],
  ["proxy: { clients: ['them'] }", /proxy\.clients: "them"/],
  ["proxy: { gateway: 'ftp://box' }", /proxy\.gateway: "ftp:\/\/box"/],
  ["btlink: { trusted_proxies: ['them'] }", /btlink\.trusted_proxies: "them"/],
  ["webrtc: { stun_servers: ['none!!'] }", /webrtc\.stun_servers .*"none!!"/],
  ['mode: proxy-only', /\/proxy\/gateway is empty/],
]

describe('btlinkd config check', () => {
  for (const [yaml, said] of BAD) {
    it(`says what is wrong with ${yaml}`, async (t) => {
      const folder = await tempFolder(t, 'check')
      const file = join(folder, 'btlinkd.yaml')
      await writeFile(file, `state_dir: ${folder}/state\n${yaml}\n`)
      const print = () => assert.fail('it said ok')
      const input = { positionals: ['check', file], flags: {}, print, stateDir: async () => folder }
      await assert.rejects(configVerb.run(input), { code: 'BTL_ERR_CONFIG_INVALID', message: said })
      assert.equal(existsSync(join(folder, 'state')), false)
    })
  }

  it('exits with 78, and touches nothing where all is well', async (t) => {
    const folder = await tempFolder(t, 'check')
    const file = join(folder, 'btlinkd.yaml')
    await writeFile(file, `state_dir: ${folder}/state\ndns: { allow: [them] }\n`)
    const bad = await btlinkd('config', 'check', file)
    assert.equal(bad.code, 78)
    assert.equal(bad.stderr, 'btlinkd config: dns: "them" is no address or network\n')
    await writeFile(file, `state_dir: ${folder}/state\n`)
    const good = await btlinkd('config', 'check', file, '--json')
    assert.equal(good.code, 0, good.stderr)
    assert.deepEqual(JSON.parse(good.stdout), { ok: true, file })
    assert.equal(existsSync(join(folder, 'state')), false)
  })
})
