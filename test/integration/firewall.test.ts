/**
 * The image's firewall from outside: a box that listens everywhere, asked by a device of its house and by a
 * stranger, as docs/image.md says who may reach what.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type Box, household, withoutNetns } from '../support/household.ts'
import { missing, output, run, start } from '../support/processes.ts'
import { ROOT } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

const IP = '/usr/sbin/ip'
const NFT = '/usr/sbin/nft'
const EXTRA = join(ROOT, 'image/mkosi/mkosi.extra')
const SHIPPED = join(EXTRA, 'usr/share/btlinkd/btlinkd.yaml')
const ASK = [process.execPath, join(ROOT, 'src/app/launch.mjs'), 'appliance', 'firewall']

/** `53 udp` */
type Port = string

/** Where nothing of the box's is meant to be: other programs', a former port, and the house's by the other protocol. */
const OTHERS: Port[] = ['25 tcp', '5300 tcp', '5300 udp', '8082 tcp', '6881 udp', '12345 udp']
const CHANGED: Port[] = ['9900 tcp', '1080 tcp', '7001 tcp', '7002 udp', '7003 udp']
const BROWSERS: Port[] = ['7010 udp', '7015 udp', '7020 udp']

const LISTEN = `
const net = require('net'), dgram = require('dgram')
let left = process.argv.length - 1
const ready = () => { if (--left === 0) console.log('ready') }
for (const one of process.argv.slice(1)) {
  const [port, transport] = one.split(' ')
  if (transport === 'tcp') net.createServer((s) => s.end()).listen({ port: Number(port), host: '::' }, ready)
  else {
    const s = dgram.createSocket('udp6')
    s.on('message', (m, from) => s.send(m, from.port, from.address))
    s.bind(Number(port), '::', ready)
  }
}`

// Prints what answers within two seconds.
const PROBE = `
const net = require('net'), dgram = require('dgram')
const [host, ...ports] = process.argv.slice(1)
const open = new Set()
for (const one of ports) {
  const [port, transport] = one.split(' ')
  if (transport === 'tcp') {
    const s = net.connect({ host, port: Number(port) }, () => { open.add(one); s.destroy() })
    s.on('error', () => {})
  } else {
    const s = dgram.createSocket(net.isIP(host.split('%')[0]) === 6 ? 'udp6' : 'udp4')
    s.on('error', () => {})
    s.on('message', () => open.add(one))
    for (const at of [0, 500, 1000]) setTimeout(() => s.send('ask', Number(port), host, () => {}), at)
  }
}
setTimeout(() => { console.log(JSON.stringify(ports.filter((one) => open.has(one)))); process.exit() }, 2000)`

/** The table of docs/image.md: ports by who may reach them. */
async function declared(): Promise<{ house: Port[]; everyone: Port[] }> {
  const text = await readFile(join(ROOT, 'docs/image.md'), 'utf8')
  const found = { house: [] as Port[], everyone: [] as Port[] }
  for (const [, ports = '', who] of text.matchAll(
    /^\| ([\d, ]+[A-Z, ]+) \| (house|everyone) \|/gm,
  )) {
    const numbers = ports.match(/\d+/g) ?? []
    for (const transport of ports.match(/TCP|UDP/g) ?? []) {
      const list = who === 'house' ? found.house : found.everyone
      list.push(...numbers.map((port) => `${port} ${transport.toLowerCase()}`))
    }
  }
  return found
}

interface Town {
  box: Box
  /** Ports that answer a device of the house, or a stranger, over the address of a family. */
  asks: (who: 'house' | 'stranger', family: 4 | 6) => Promise<Port[]>
  /** Puts this configuration's ports into the firewall, as the unit does; gives what is said. The file is `meanwhile` once btlinkd read it. */
  configure: (yaml: string, meanwhile?: string) => Promise<string>
  rules: () => Promise<string>
  /** Looks at the networks of the house again, as the unit does. */
  own: () => Promise<void>
}

const ADDRESSES = {
  box: ['198.51.100.1/24', '2001:db8:1::1/64'],
  house: ['2001:db8:1::2/64'],
  stranger: ['198.51.100.9/24', '2001:db8:9::9/64'],
}

/** What comes with the image, as its build makes it. */
async function shippedFiles(t: TestContext): Promise<string> {
  const folder = await tempFolder(t, 'btl-shipped')
  await writeFile(join(folder, 'btlinkd.yaml'), await readFile(SHIPPED))
  const [node = '', ...args] = ASK
  const env = { ...process.env, BTL_RUN_SOURCES: '1' }
  const made = await output(node, [...args, '--config', SHIPPED], { env })
  await writeFile(join(folder, 'ports.nft'), made)
  return folder
}

async function town(t: TestContext, ports: readonly Port[]): Promise<Town> {
  const shipped = await shippedFiles(t)
  const [box, house, stranger] = (await household(t, 'box', 'house', 'far')) as [Box, Box, Box]
  const inside = (of: Box, ...args: string[]) => output(IP, ['-n', of.netns, ...args])
  for (const [of, list] of [
    [box, ADDRESSES.box],
    [house, ADDRESSES.house],
    [stranger, ADDRESSES.stranger],
  ] as const) {
    for (const one of list)
      await inside(of, 'addr', 'add', one, 'dev', 'eth0', 'nodad').catch(() =>
        inside(of, 'addr', 'add', one, 'dev', 'eth0'),
      )
  }
  // Its address of the house would make it one of the house.
  await inside(stranger, 'addr', 'del', `${stranger.address}/24`, 'dev', 'eth0')
  await inside(box, '-6', 'route', 'add', '2001:db8:9::/64', 'dev', 'eth0', 'proto', 'static')
  await inside(stranger, '-6', 'route', 'add', '2001:db8:1::/64', 'dev', 'eth0')
  const listening = start(t, process.execPath, ['-e', LISTEN, ...ports], { netns: box.netns })
  await listening.line((line) => line === 'ready')
  const within = { netns: box.netns }
  await output(NFT, ['-f', join(EXTRA, 'etc/nftables.conf')], within)
  const own = async () =>
    void (await output('/bin/sh', [join(EXTRA, 'usr/libexec/btlinkd/firewall-own')], within))
  await own()
  const here = await tempFolder(t, 'btl-firewall')
  const file = join(here, 'btlinkd.yaml')
  const targets = {
    house: { 4: box.address, 6: '2001:db8:1::1', of: house },
    stranger: { 4: '198.51.100.1', 6: '2001:db8:1::1', of: stranger },
  }
  return {
    box,
    own,
    rules: () => output(NFT, ['list', 'table', 'inet', 'btlinkd'], within),
    async asks(who, family) {
      const { of, [family]: host } = targets[who]
      const args = ['-e', PROBE, host, ...ports]
      return JSON.parse(await output(process.execPath, args, { netns: of.netns })) as Port[]
    },
    async configure(yaml, meanwhile) {
      await writeFile(file, yaml)
      let ask = [...ASK, '--config', file].join(' ')
      if (meanwhile !== undefined) {
        const next = join(here, 'next.yaml')
        await writeFile(next, meanwhile)
        const lines = [ask, `if [ -e ${next} ]; then mv ${next} ${file}; fi`]
        await writeFile(join(here, 'ask'), lines.join(' || exit\n'))
        ask = `sh ${join(here, 'ask')}`
      }
      const script = join(EXTRA, 'usr/libexec/btlinkd/firewall-ports')
      const { code, stdout, stderr } = await run('/bin/sh', [script, file, shipped, here, ask], {
        ...within,
        env: { ...process.env, BTL_RUN_SOURCES: '1' },
      })
      return `${code} ${stdout}${stderr}`
    },
  }
}

const sorted = (ports: readonly Port[]) => ports.toSorted()

describe('the firewall of the image', { skip: withoutNetns() || missing(NFT, IP) }, () => {
  it('opens to house and strangers what the manual says, over IPv4 and IPv6, and no other port', async (t) => {
    const { house, everyone } = await declared()
    assert.ok(house.length >= 9 && everyone.length === 3, 'the table was found')
    const { asks, configure } = await town(t, [...house, ...everyone, ...OTHERS])
    for (const family of [4, 6] as const) {
      const [near, far] = await Promise.all([asks('house', family), asks('stranger', family)])
      assert.deepEqual(sorted(near), sorted([...house, ...everyone]), `house, IPv${family}`)
      assert.deepEqual(sorted(far), sorted(everyone), `stranger, IPv${family}`)
    }
    assert.match(await configure(await readFile(SHIPPED, 'utf8')), /^0 $/)
    const again = await asks('stranger', 4)
    assert.deepEqual(sorted(again), sorted(everyone), 'as configured')
  })

  it('knows the networks that the router announces to networkd as those of the house', async (t) => {
    const { box, asks, own } = await town(t, ['53 udp', '80 tcp'])
    const inside = (...args: string[]) => output(IP, ['-n', box.netns, '-6', ...args])
    // systemd-networkd, and not the kernel, hears the router: the address has no route of its own.
    await inside('addr', 'del', '2001:db8:1::1/64', 'dev', 'eth0')
    await inside('addr', 'add', '2001:db8:1::1/64', 'dev', 'eth0', 'nodad', 'noprefixroute')
    await own()
    assert.deepEqual(await asks('house', 6), [], 'nobody announced it')
    await inside('route', 'add', '2001:db8:1::/64', 'dev', 'eth0', 'proto', 'ra')
    // A network behind a router of the house is announced as well, and may be anybody's.
    const far = ['2001:db8:9::/64', 'via', '2001:db8:1::2', 'dev', 'eth0', 'proto', 'ra']
    await inside('route', 'replace', ...far, 'metric', '1')
    await own()
    assert.deepEqual(sorted(await asks('house', 6)), ['53 udp', '80 tcp'])
    await inside('route', 'del', ...far, 'metric', '1')
    assert.deepEqual(await asks('stranger', 6), [])
  })

  it('follows the ports of the configuration, and stays as it was where that is broken', async (t) => {
    const ports = [
      '80 tcp',
      '9877 tcp',
      '6881 tcp',
      '6883 udp',
      '6969 udp',
      ...CHANGED,
      ...BROWSERS,
    ]
    const { box, asks, configure, rules } = await town(t, ports)
    const changed = `gateway: { port: 9900 }
proxy: { socks_port: 1080 }
swarm: { port: 7001 }
dht: { port: 7002 }
tracker: { udp_port: 7003 }
webrtc: { port_min: 7010, port_max: 7019 }
`
    const browsers = BROWSERS.slice(0, 2)
    // Changed while it is read: systemd takes no note of that.
    assert.match(await configure('gateway: { port: 9901 }\n', changed), /^0 $/)
    const [near, far] = await Promise.all([asks('house', 4), asks('stranger', 4)])
    assert.deepEqual(sorted(near), sorted(['80 tcp', ...CHANGED, ...browsers]))
    assert.deepEqual(sorted(far), sorted(['7001 tcp', '7002 udp', '7003 udp', ...browsers]))
    const good = await rules()
    const broken = {
      'a port that any may be': 'gateway: { port: 0 }',
      'a word': 'swarm: { port: many }',
      'a port that is none': 'swarm: { port: 70000 }',
      'commands of nft': 'gateway: { port: "1 } ; flush ruleset" }',
      'no YAML': 'gateway: [',
      "ssh's port for peers": 'swarm: { port: 22 }',
      "the pages' port for peers": 'swarm: { port: 9900 }\ngateway: { port: 9900 }',
      'a range with a port of the house': 'webrtc: { port_min: 5000, port_max: 6000 }',
      'a range the wrong way round': 'webrtc: { port_min: 7019, port_max: 7010 }',
      'a key that is none': 'gateway: { prot: 9900 }',
    }
    for (const [what, yaml] of Object.entries(broken)) {
      const said = await configure(`${yaml}\n`)
      assert.match(said, /the firewall stays as it was/, what)
      assert.equal(await rules(), good, what)
    }
    // As at the next start, with the configuration still broken: what was last understood is put in.
    await output(NFT, ['-f', join(EXTRA, 'etc/nftables.conf')], { netns: box.netns })
    assert.match(await configure('gateway: [\n'), /stays as it was/)
    for (const set of ['house_tcp', 'house_udp', 'peers_tcp', 'peers_udp']) {
      const now = new RegExp(`set ${set} {[^}]*}?`).exec(await rules())?.[0]
      assert.equal(now, new RegExp(`set ${set} {[^}]*}?`).exec(good)?.[0], set)
    }
  })
})
