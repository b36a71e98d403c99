/** The house's network, broken for real: servers, routes and neighbours in namespaces of their own. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Result } from '../../../src/services/doctor/index.ts'
import { type Box, etc, household, withoutNetns } from '../../support/household.ts'
import { missing, output, run, type Running, start } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'
import { tempFolder } from '../../support/temp.ts'

const IP = '/usr/sbin/ip'
const DNSMASQ = '/usr/sbin/dnsmasq'
const LAUNCH = join(ROOT, 'src/app/launch.mjs')
const skip = withoutNetns() || missing(DNSMASQ, IP)

/** What the doctor says in a box, by check. */
async function ask(t: TestContext, box: Box, only: string, config: object = {}, path = '') {
  const folder = await tempFolder(t, 'btl-doctor-net')
  const file = join(folder, 'btlinkd.yaml')
  await writeFile(file, JSON.stringify(config))
  const args = [LAUNCH, 'doctor', '--json', '--only', only, '--config', file, '--state', folder]
  const env = { ...process.env, BTL_RUN_SOURCES: '1', BTL_DOCTOR_PATH: path }
  const { stdout, stderr } = await run(process.execPath, args, {
    netns: box.netns,
    env,
    cwd: folder,
  })
  const { results } = JSON.parse(
    stdout === '' ? `{"results":[],"stderr":${JSON.stringify(stderr)}}` : stdout,
  ) as { results: Result[] }
  return (id: string): Result => {
    const found = results.find((one) => one.id === id)
    if (!found) throw new Error(`no ${id}: ${stdout}${stderr}`)
    return found
  }
}

async function dhcp(t: TestContext, box: Box, dns: string): Promise<Running> {
  const folder = await tempFolder(t, 'btl-dhcp')
  const [a, b, c] = box.address.split('.')
  const running = start(
    t,
    DNSMASQ,
    [
      '-k',
      '-C',
      '/dev/null',
      '-p',
      '0',
      '--log-facility=-',
      '--no-ping',
      `--pid-file=${folder}/pid`,
      `--dhcp-leasefile=${folder}/leases`,
      `--dhcp-range=${a}.${b}.${c}.200,${a}.${b}.${c}.220,1h`,
      `--dhcp-option=6,${dns}`,
      '--bind-interfaces',
      `--listen-address=${box.address}`,
    ],
    { netns: box.netns },
  )
  await new Promise((resolve) => setTimeout(resolve, 400))
  return running
}

/** A server of the box's in another box: `code` gets node's modules. */
async function serve(t: TestContext, box: Box, code: string): Promise<void> {
  const running = start(t, process.execPath, ['-e', code], { netns: box.netns })
  await running.line((line) => line === 'ready')
}

/** Answers every question with one address, or with nothing and no signature. */
const liar = (address: string | undefined) => `
const s = require('dgram').createSocket('udp4')
s.on('message', (q, from) => {
  const end = 12 + q.subarray(12).indexOf(0) + 5
  const a = ${address === undefined ? 'Buffer.alloc(0)' : `Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ${address.split('.').join(', ')}])`}
  const soa = Buffer.from([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0, ...new Array(20).fill(1)])
  const isSoa = q[12] === 0 && q[14] === 6
  const answer = isSoa ? soa : a
  const r = Buffer.concat([q.subarray(0, end), answer])
  r[2] = 0x81; r[3] = answer.length ? 0x80 : 0x83; r.writeUInt16BE(answer.length ? 1 : 0, 6); r.writeUInt16BE(0, 10)
  s.send(r, from.port, from.address)
})
s.bind(53, () => console.log('ready'))`

describe('the network', { skip, concurrency: 3 }, () => {
  it('has one DHCP server that names the box; then another one; then a second', async (t) => {
    const [box, router, other] = (await household(t, 'box', 'router', 'other')) as [Box, Box, Box]
    const first = await dhcp(t, router, box.address)
    const well = await ask(t, box, 'dhcp-servers,dhcp-dns')
    assert.equal(well('dhcp-servers').state, 'ok', well('dhcp-servers').line)
    assert.equal(well('dhcp-dns').state, 'ok', well('dhcp-dns').line)
    await first.stop()
    await dhcp(t, router, '9.9.9.9')
    await dhcp(t, other, '9.9.9.9')
    const bad = await ask(t, box, 'dhcp-servers,dhcp-dns')
    assert.match(bad('dhcp-servers').line, new RegExp(`2 answer: .*${other.address}`))
    assert.equal(bad('dhcp-dns').state, 'warning')
    assert.match(bad('dhcp-dns').line, /names 9\.9\.9\.9/)
  })

  it('loses its router, its way, and a working IPv6', async (t) => {
    const [box, router] = (await household(t, 'box', 'router')) as [Box, Box]
    const inside = (...args: string[]) => output(IP, ['-n', box.netns, ...args])
    const only = 'gateway,ipv6,address'
    const without = await ask(t, box, only)
    assert.match(without('gateway').line, /no router is known/)
    assert.equal(without('address').state, 'ok')
    await inside('route', 'add', 'default', 'via', router.address)
    await inside('address', 'add', '2a01:4f8:1:2::3/64', 'dev', 'eth0', 'nodad')
    const half = await ask(t, box, only)
    assert.equal(half('gateway').state, 'ok', half('gateway').line)
    assert.equal(half('ipv6').state, 'warning')
    assert.match(half('ipv6').line, /no way to the internet over IPv6/)
    await inside('route', 'replace', 'default', 'via', router.address.replace(/\d+$/, '77'))
    const gone = await ask(t, box, only)
    assert.equal(gone('gateway').state, 'failed')
    assert.match(gone('gateway').line, /does not answer/)
  })

  it('has a provider that invents answers and drops signatures, and servers that are silent', async (t) => {
    const [box, provider, silent] = (await household(t, 'box', 'provider', 'silent')) as [
      Box,
      Box,
      Box,
    ]
    await serve(t, provider, liar('45.83.12.9'))
    const only = 'upstreams,dns-honest,dnssec,dns-loop'
    const upstream = { servers: [provider.address, silent.address] }
    const bad = await ask(t, box, only, { upstream })
    assert.match(bad('upstreams').line, new RegExp(`no answer from ${silent.address}`))
    assert.equal(bad('upstreams').state, 'warning')
    assert.match(bad('dns-honest').line, /names that do not exist to 45\.83\.12\.9/)
    assert.match(bad('dnssec').line, /takes the signatures out/)
    assert.equal(bad('dns-loop').state, 'ok')
    await serve(t, silent, liar(undefined))
    const well = await ask(t, box, only, { upstream: { servers: [silent.address] } })
    assert.equal(well('upstreams').state, 'ok')
    assert.equal(well('dns-honest').state, 'ok', well('dns-honest').line)
  })

  it('has a resolver that asks itself, by way of the front or of resolv.conf', async (t) => {
    const [box] = (await household(t, 'box', 'other')) as [Box, Box]
    await etc(t, box, 'resolv.conf', 'nameserver 127.0.0.1\n')
    const found = await ask(t, box, 'dns-loop', { dns: { front: ['127.0.0.1@53'] } })
    assert.equal(found('dns-loop').state, 'failed')
    assert.match(found('dns-loop').line, /asks itself at 127\.0\.0\.1:53/)
  })

  it('has a time server that is an hour ahead', async (t) => {
    const [box, server] = (await household(t, 'box', 'server')) as [Box, Box]
    await serve(
      t,
      server,
      `
const s = require('dgram').createSocket('udp4')
s.on('message', (q, from) => {
  const r = Buffer.alloc(48); r[0] = 0x24; r[1] = 2
  const now = Date.now() / 1000 + 3600 + 2208988800
  for (const at of [32, 40]) { r.writeUInt32BE(Math.floor(now), at); r.writeUInt32BE(0, at + 4) }
  s.send(r, from.port, from.address)
})
s.bind(123, () => console.log('ready'))`,
    )
    const folder = await tempFolder(t, 'btl-time')
    await writeFile(
      join(folder, 'timedatectl'),
      `#!/bin/sh\necho ServerAddress=${server.address}\n`,
      { mode: 0o755 },
    )
    const found = await ask(t, box, 'clock-drift', {}, folder)
    assert.equal(found('clock-drift').state, 'failed')
    assert.match(found('clock-drift').line, /(3599|3600|3601) s behind/)
  })

  it('has another machine of our name', async (t) => {
    const [box, other] = (await household(t, 'box', 'other')) as [Box, Box]
    const alone = await ask(t, box, 'mdns')
    assert.equal(alone('mdns').state, 'ok')
    const address = other.address.split('.').join(', ')
    await serve(
      t,
      other,
      `
const s = require('dgram').createSocket({ type: 'udp4', reuseAddr: true })
s.on('message', (q, from) => {
  const end = 12 + q.subarray(12).indexOf(0) + 5
  const r = Buffer.concat([q.subarray(0, end), Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4, ${address}])])
  r[2] = 0x84; r.writeUInt16BE(1, 6)
  s.send(r, from.port, from.address)
})
s.bind(5353, () => { s.addMembership('224.0.0.251', '${other.address}'); console.log('ready') })`,
    )
    await output(IP, ['-n', box.netns, 'route', 'add', '224.0.0.0/4', 'dev', 'eth0']).catch(
      () => undefined,
    )
    const found = await ask(t, box, 'mdns')
    assert.equal(found('mdns').state, 'warning', found('mdns').line)
    assert.ok(
      found('mdns').line.includes(
        `${hostname().split('.')[0]}.local is also said to be ${other.address}`,
      ),
      found('mdns').line,
    )
    assert.match(found('mdns').remedy ?? '', /hostnamectl/)
    // Its /etc cannot be written.
    await etc(t, box, 'os-release', 'ID=debian\nIMAGE_ID=btlinkd\n')
    const image = await ask(t, box, 'mdns')
    assert.match(image('mdns').remedy ?? '', /system\.hostname in rpi-preseed\.toml on the card/)
  })
})
