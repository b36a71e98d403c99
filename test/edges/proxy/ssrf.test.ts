/** What a page, or a device of the house that it drives, must not reach through the proxy. */
import assert from 'node:assert/strict'
import { Socket, type TcpNetConnectOpts } from 'node:net'
import { describe, it } from 'node:test'
import type { Cleanup } from '../../support/temp.ts'
import { type House, startHouse, wire } from './fixture.ts'

/** Hosts as an attacker writes them. */
const HOSTS = [
  // Loopback, in every spelling.
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '127.255.255.254',
  '2130706433',
  '017700000001',
  '0x7f000001',
  '0x7f.0x0.0x0.0x1',
  '0177.0.0.1',
  '0177.0.0.0x1',
  '127.0.0.1.',
  '127.0.0.01',
  '00127.0.0.1',
  '1e2',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::]',
  '0.0.0.0',
  '0',
  '0x0',
  'localhost',
  'LOCALHOST.',
  'a.localhost',
  // IPv4 in the clothes of IPv6.
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b::10.0.0.1]',
  '[64:ff9b:1::7f00:1]',
  '[2002:7f00:1::]',
  '[2002:c0a8:101::1]',
  '[2001:0:7f00:1::]',
  // Private, shared and link-local networks, and what is on them.
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '100.64.0.1',
  '169.254.1.1',
  '169.254.169.254',
  '[fd00:ec2::254]',
  '[fe80::1]',
  '[fe80::1%25eth0]',
  '[fc00::1]',
  '[fec0::1]',
  'printer.local',
  // For documents, measuring, groups and nobody.
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '192.0.0.8',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '[ff02::1]',
  '[2001:db8::1]',
  '[100::1]',
  // The box itself, by an address that is public.
  '198.41.0.4',
  // Names whose addresses are none of the internet.
  'loopback.example',
  'private.example',
  'mapped.example',
  'metadata.example',
  'mixed-private.example',
  'zone.example',
  'nowhere.example',
  'broken.example',
  // Not a host at all.
  'user@10.0.0.1',
  '127.0.0.1#@example.com',
  '127.0.0.1\\@example.com',
  'exa mple.com',
  '10。0。0。1',
  '①②⑦.0.0.1',
  '%31%32%37.0.0.1',
  '127.0.0.1%00.example.com',
  '',
]

const ADDRESSES: Record<string, string[]> = {
  'loopback.example': ['127.0.0.1'],
  'private.example': ['192.168.1.1', '10.1.1.1', 'fd00::1'],
  'mapped.example': ['::ffff:10.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  'mixed-private.example': ['100.100.100.200', 'fe80::1'],
  'zone.example': ['fe80::1%eth0'],
  'broken.example': ['not an address'],
  'public.example': ['93.184.215.14'],
  'rebinding.example': ['127.0.0.1', '93.184.215.14', '::1'],
}

async function guarded(t: Cleanup): Promise<House & { dialled: TcpNetConnectOpts[] }> {
  const dialled: TcpNetConnectOpts[] = []
  const house = await startHouse(t, {
    allow_private: [],
    deps: {
      ownAddresses: () => ['127.0.0.1', '198.41.0.4', '::1'],
      connect: (options) => {
        dialled.push(options)
        const socket = new Socket()
        setImmediate(() => socket.destroy(new Error('nobody is there')))
        return socket
      },
    },
  })
  for (const [name, addresses] of Object.entries(ADDRESSES)) house.names.set(name, addresses)
  return { ...house, dialled }
}

const statusOf = async (house: House, bytes: string): Promise<number> => {
  const { closed, text } = wire(house.proxy.httpPort, Buffer.from(bytes))
  await closed
  return Number(text().split(' ')[1])
}

describe('hosts that no proxy should reach', () => {
  it(`are never dialled, ${HOSTS.length} of them, by absolute form or CONNECT`, async (t) => {
    const house = await guarded(t)
    assert.ok(HOSTS.length >= 60)
    for (const host of HOSTS) {
      for (const port of ['', ':80']) {
        const status = await statusOf(
          house,
          `GET http://${host}${port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        )
        assert.ok([400, 403, 502].includes(status), `GET ${host}${port}: ${status}`)
      }
      for (const port of [80, 443]) {
        const status = await statusOf(house, `CONNECT ${host}:${port} HTTP/1.1\r\nHost: x\r\n\r\n`)
        assert.ok([400, 403, 502].includes(status), `CONNECT ${host}:${port}: ${status}`)
      }
    }
    assert.deepEqual(house.dialled, [])
  })

  it('C30 are ports that are not those of websites', async (t) => {
    const house = await guarded(t)
    for (const port of [22, 25, 53, 445, 6881, 9877, 8080, 0, 65_536, 99_999]) {
      const head = `CONNECT public.example:${port} HTTP/1.1\r\nHost: x\r\n\r\n`
      assert.ok([400, 403].includes(await statusOf(house, head)), String(port))
    }
    for (const port of [0, 1, 22, 25, 110, 143, 445, 65_536]) {
      const head = `GET http://public.example:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
      assert.ok([400, 403].includes(await statusOf(house, head)), String(port))
    }
    for (const target of ['public.example', 'public.example:', ':443', 'public.example:443:443']) {
      assert.equal(
        await statusOf(house, `CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`),
        400,
        target,
      )
    }
    assert.deepEqual(house.dialled, [])
  })

  it('are not reached by a name that changes its mind: it is asked once, and what was judged is dialled', async (t) => {
    const house = await guarded(t)
    assert.equal(
      await statusOf(house, 'CONNECT rebinding.example:443 HTTP/1.1\r\nHost: x\r\n\r\n'),
      502,
    )
    assert.deepEqual(house.asked, ['rebinding.example'])
    const [dialled] = house.dialled
    assert.equal(house.dialled.length, 1)
    const pinned = await new Promise<unknown>((resolve) =>
      dialled?.lookup?.('rebinding.example', { all: true }, (_error, addresses) =>
        resolve(addresses),
      ),
    )
    assert.deepEqual(pinned, [{ address: '93.184.215.14', family: 4 }])
  })

  it('are asked of no resolver where the port or the client is refused anyway', async (t) => {
    const house = await startHouse(t, { allow_private: [] })
    await statusOf(house, 'CONNECT printer.local:443 HTTP/1.1\r\nHost: x\r\n\r\n')
    await statusOf(house, 'CONNECT public.example:22 HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.deepEqual(house.asked, [])
  })

  it('are reached only where the owner says so', async (t) => {
    const house = await guarded(t)
    const open = await startHouse(t, {
      allow_private: ['192.168.1.0/24'],
      deps: {
        connect: (options) => {
          house.dialled.push(options)
          const socket = new Socket()
          setImmediate(() => socket.destroy(new Error('nobody is there')))
          return socket
        },
      },
    })
    assert.equal(await statusOf(open, 'CONNECT 192.168.1.1:443 HTTP/1.1\r\nHost: x\r\n\r\n'), 502)
    assert.equal(await statusOf(open, 'CONNECT 192.168.2.1:443 HTTP/1.1\r\nHost: x\r\n\r\n'), 403)
    assert.equal(house.dialled.length, 1)
  })
})
