/** `btlinkd dns front`: from the configuration of the daemon to that of the resolver in front of it. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { missing, run } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'

const CHECKCONF = '/usr/sbin/unbound-checkconf'

async function btlinkd(t: TestContext, config: string, ...args: string[]) {
  const folder = await tempFolder(t, 'btl-dns-front')
  const file = join(folder, 'btlinkd.yaml')
  await writeFile(file, config)
  const verb = ['src/app/launch.mjs', 'dns', 'front', ...args, '--config', file]
  return { folder, ...(await run(process.execPath, verb)) }
}

describe('btlinkd dns front', { skip: missing(CHECKCONF) }, () => {
  it('writes what unbound takes as it is', async (t) => {
    const config = `dns: { front: ['127.0.0.1@53'], records: [nas.lan=192.168.1.5] }
upstream: { servers: ['127.0.0.1', 'tls://9.9.9.9#dns.quad9.net'], routes: [fritz.box=192.168.178.1] }
`
    const { folder, stdout } = await btlinkd(t, config, 'unbound', '--interfaces', '127.0.0.1,::1')
    const file = join(folder, 'unbound.conf')
    await writeFile(file, stdout.replace('/var/lib/unbound', folder))
    const { code, stderr } = await run(CHECKCONF, [file])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /interface: 127\.0\.0\.1\n {2}interface: ::1\n/)
    assert.match(stdout, /forward-addr: 9\.9\.9\.9@853#dns\.quad9\.net/)
    assert.match(stdout, /name: "fritz\.box\."/)
  })

  it('writes the lines for dnsmasq', async (t) => {
    const { stdout } = await btlinkd(t, `dns: { front: ['127.0.0.1@53'] }\n`, 'dnsmasq')
    assert.match(stdout, /server=\/btlink\/127\.0\.0\.1#5300/)
  })

  it('says what is missing: where the front answers, or which one it is', async (t) => {
    const without = await btlinkd(t, 'dns: {}\n', 'unbound')
    assert.notEqual(without.code, 0)
    assert.match(without.stderr, /say where the resolver in front answers/)
    const unknown = await btlinkd(t, `dns: { front: ['127.0.0.1@53'] }\n`, 'bind')
    assert.match(unknown.stderr, /there is no front "bind": unbound, dnsmasq/)
  })
})
