/** The configuration of a resolver in front of ours, as it is written. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSocket } from 'node:dgram'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { nameOfText } from '../../../src/base/dns/name.ts'
import {
  type DnsConfig,
  dnsmasqFront,
  type FrontPlan,
  planFront,
  unboundFront,
} from '../../../src/edges/dns/index.ts'
import { DIG } from '../../support/dns-servers.ts'
import { missing, run, start } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { dnsConfig, startHouse } from './house.ts'
import { HOUSE_CONFIG } from './scenario.ts'

const CHECKCONF = '/usr/sbin/unbound-checkconf'
const DNSMASQ = '/usr/sbin/dnsmasq'
const UNBOUND = '/usr/sbin/unbound'

type Server = FrontPlan['servers'][number]

const server = (text: string, changes: Partial<Server> = {}): Server => ({
  text,
  transport: 'udp',
  address: text,
  name: undefined,
  port: 53,
  ...changes,
})
const QUAD9 = server('9.9.9.9')
const ENCRYPTED = server('tls://9.9.9.9#dns.quad9.net', {
  transport: 'tls',
  address: '9.9.9.9',
  name: 'dns.quad9.net',
  port: 853,
})

interface Written {
  config?: Partial<DnsConfig>
  servers?: readonly Server[]
  routes?: Record<string, readonly Server[]>
  networks?: readonly string[]
  zoneFile?: string
  interfaces?: readonly string[]
}

function planOf({ config = {}, servers = [], routes = {}, networks = [] }: Written) {
  const section = dnsConfig({ port: 5300, front: ['127.0.0.1@53'], ...config })
  const plan = planFront({
    tld: 'btlink',
    config: section,
    servers,
    networks,
    routes: Object.entries(routes).map(([text, own]) => {
      const zone = nameOfText(text)
      assert.ok(zone)
      return { zone, servers: own }
    }),
  })
  return { plan, section }
}

function unboundOf(written: Written = {}): string {
  const { plan, section } = planOf(written)
  const { zoneFile = '/var/lib/unbound/btlinkd.rpz', interfaces = [] } = written
  return unboundFront(plan, section, { interfaces, zoneFile })
}

function dnsmasqOf(written: Written = {}): string {
  const { plan, section } = planOf(written)
  return dnsmasqFront(plan, section)
}

const VARIANTS: Record<string, Written> = {
  'nothing but the defaults': {},
  'a household': { config: HOUSE_CONFIG },
  'an IPv6 house': {
    config: { listen: ['::1'], front: ['::1@53'], allow: ['2001:db8:1::/48'] },
    networks: ['192.168.1.2/24', '2001:db8:2::5/64'],
  },
  'servers and routes': {
    servers: [QUAD9, server('2620:fe::fe')],
    routes: { 'fritz.box': [server('192.168.178.1', { port: 5353 })] },
  },
  'no memory, no filter, no canaries': {
    config: { stale_for: 0, block_private: false, canaries: false, local_domains: [] },
  },
  'records under special names': {
    config: { records: ['srv.test=192.168.1.7', 'x.local=192.168.1.8', 'a.home.arpa=192.168.1.9'] },
  },
}

async function checkedUnbound(t: TestContext, written: Written): Promise<void> {
  const folder = await tempFolder(t, 'btl-front')
  const file = join(folder, 'btlinkd.conf')
  await writeFile(file, unboundOf({ ...written, zoneFile: join(folder, 'btlinkd.rpz') }))
  const { code, stdout, stderr } = await run(CHECKCONF, [file])
  assert.equal(code, 0, stderr)
  assert.equal(`${stdout}${stderr}`.trim(), `unbound-checkconf: no errors in ${file}`)
}

describe('the configuration of unbound', { skip: missing(CHECKCONF, DNSMASQ, UNBOUND) }, () => {
  for (const [what, written] of Object.entries(VARIANTS)) {
    it(`for ${what} is sound to unbound`, async (t) => checkedUnbound(t, written))
  }

  it('for servers over TLS and TCP is sound to unbound', async (t) => {
    await checkedUnbound(t, {
      servers: [ENCRYPTED],
      routes: { corp: [server('tcp://10.0.0.1', { transport: 'tcp', address: '10.0.0.1' })] },
    })
  })

  it('answers the house and its public networks, and nobody else', () => {
    const text = unboundOf({
      config: { allow: ['203.0.113.0/24'] },
      networks: ['127.0.0.1/8', '192.168.1.2/24', '2001:db8:2::5/64'],
    })
    const allowed = [...text.matchAll(/access-control: (\S+) allow/g)].map(([, one]) => one)
    assert.ok(allowed.includes('192.168.0.0/16'))
    assert.deepEqual(allowed.slice(-2), ['2001:db8:2::5/64', '203.0.113.0/24'])
    assert.match(text, /access-control: 0\.0\.0\.0\/0 deny/)
    assert.match(text, /access-control: ::\/0 deny/)
  })

  it('asks us over loopback where we are there', () => {
    const at = (listen: string[]) => /stub-addr: (\S+)/.exec(unboundOf({ config: { listen } }))?.[1]
    assert.equal(at(['auto']), '127.0.0.1@5300')
    assert.equal(at(['::1']), '::1@5300')
    assert.equal(at(['192.168.1.2', '127.0.0.5']), '127.0.0.5@5300')
    assert.equal(at(['192.168.1.2']), '192.168.1.2@5300')
  })

  it('leaves a domain of the house to its own server', () => {
    const text = unboundOf({ routes: { lan: [server('192.168.1.1')] } })
    assert.match(text, /forward-zone:\n  name: "lan\."\n  forward-addr: 192\.168\.1\.1@53/)
    assert.doesNotMatch(text, /stub-zone:\n  name: "lan\."/)
  })

  it('does not make unbound its own server', () => {
    assert.doesNotMatch(unboundOf({ servers: [server('127.0.0.1')] }), /forward-zone/)
    assert.match(unboundOf({ servers: [server('127.0.0.1', { port: 5353 })] }), /127\.0\.0\.1@5353/)
  })

  for (const [what, written] of [
    ['over https', { servers: [server('https://dns.example', { transport: 'https' })] }],
    ['of two kinds', { servers: [QUAD9, ENCRYPTED] }],
    ['by name', { servers: [server('tls://a.example', { transport: 'tls', address: undefined })] }],
  ] as const) {
    it(`with servers ${what} is refused: unbound cannot ask them`, () => {
      assert.throws(() => unboundOf(written), { code: 'BTL_ERR_DNS_BAD_FRONT' })
    })
  }

  it('is fit for IPv6 alone', async (t) => {
    const socket = createSocket('udp6').bind(0, '::1')
    await once(socket, 'listening')
    const { port } = socket.address()
    socket.close()
    const config = { ...HOUSE_CONFIG, listen: ['::1'], front: [`::1@${port}`] }
    const house = await startHouse(t, { ...config, house_addresses: ['fd00:77::1'] })
    const folder = await tempFolder(t, 'btl-front')
    const text = unboundOf({
      config: { ...config, port: house.port },
      interfaces: ['::1'],
      zoneFile: join(folder, 'btlinkd.rpz'),
    })
    const file = join(folder, 'unbound.conf')
    const more = `server:\n  chroot: ""\n  username: ""\n  pidfile: ""\n  use-syslog: no\n`
    await writeFile(file, `${text}\n${more}`)
    start(t, UNBOUND, ['-d', '-p', '-c', file])
    const short = async (...args: string[]) => {
      const options = ['@::1', '-p', String(port), '+short', '+time=1', '+tries=1']
      return (await run(DIG, [...options, ...args])).stdout.trim()
    }
    await until('the zone', async () => (await short('nas.lan', 'AAAA')) === 'fd00::5')
    await house.dns.stop()
    assert.equal(await short('thing.home.arpa', 'A'), '192.168.1.6')
  })
})

describe('the lines for dnsmasq', { skip: missing(DNSMASQ) }, () => {
  for (const [what, written] of Object.entries(VARIANTS)) {
    it(`for ${what} are sound to dnsmasq`, async (t) => {
      const file = join(await tempFolder(t, 'btl-front'), 'btlinkd.conf')
      await writeFile(file, dnsmasqOf(written))
      const { code, stderr } = await run(DNSMASQ, ['--test', '-C', file])
      assert.equal(code, 0, stderr)
    })
  }

  it('with servers that need encryption are refused: dnsmasq asks in clear', () => {
    assert.throws(() => dnsmasqOf({ servers: [ENCRYPTED] }), { code: 'BTL_ERR_DNS_BAD_FRONT' })
  })
})

describe('a plan for a front', () => {
  for (const [what, config] of [
    ['has no front', { front: [] }],
    ['has our own port', { front: ['127.0.0.1@5300'] }],
    ['cannot say where we are', { port: 0 }],
    ['has a name that no file can have', { local_domains: ['a\\"b'] }],
    ['has a record of a name that no file can have', { records: ['a\\010b.example=1.2.3.4'] }],
  ] as [string, Partial<DnsConfig>][]) {
    it(`that ${what} is refused`, () => {
      assert.throws(() => planOf({ config }), { code: 'BTL_ERR_DNS_BAD_FRONT' })
    })
  }
})
