import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { household, withoutNetns } from '../support/household.ts'
import { output, start } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const CHILD = fileURLToPath(new URL('../engines/torrent/port-mapping-child.ts', import.meta.url))
const ROUTER = '/usr/sbin/miniupnpd'
const NFT = '/usr/sbin/nft'
const skip =
  withoutNetns() || (existsSync(ROUTER) && existsSync(NFT) ? false : 'needs miniupnpd and nft')

// What the package's own script lays out.
const TABLES = `table inet filter {
  chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd; }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
`
const SETTINGS = `ext_ifname=wan
listening_ip=eth0
enable_natpmp=yes
enable_upnp=no
secure_mode=yes
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
`

describe('a router with miniupnpd', { skip }, () => {
  it('opens the peer port for the box, and closes it when the box leaves', async (t) => {
    const [router, box] = await household(t, 'router', 'box')
    assert.ok(router && box)
    const ip = async (...args: string[]) => output('/usr/sbin/ip', args)
    await ip('-n', router.netns, 'link', 'add', 'wan', 'type', 'veth', 'peer', 'name', 'far')
    // miniupnpd maps nothing for an address that is none of the world.
    await ip('-n', router.netns, 'addr', 'add', '203.0.114.5/24', 'dev', 'wan')
    for (const link of ['wan', 'far']) await ip('-n', router.netns, 'link', 'set', link, 'up')
    await ip('-n', box.netns, 'route', 'add', 'default', 'via', router.address)
    const folder = await tempFolder(t)
    const [tables, settings] = [join(folder, 'tables'), join(folder, 'settings')]
    await writeFile(tables, TABLES)
    await writeFile(settings, SETTINGS)
    const onRouter = async (...args: string[]) => ip('netns', 'exec', router.netns, ...args)
    await onRouter(NFT, '-f', tables)
    const daemon = start(t, ROUTER, ['-d', '-f', settings, '-P', join(folder, 'pid')], {
      netns: router.netns,
    })
    await until('the router', () => daemon.output().includes('Listening for NAT-PMP/PCP'))

    const child = start(t, process.execPath, [CHILD], { netns: box.netns })
    await child.line((line) => line === 'mapped 6881')
    assert.match(await onRouter(NFT, 'list', 'ruleset'), /dnat ip to 10\.77\.0\.2:6881/)
    child.send('enough')
    await child.line((line) => line === 'given back')
    assert.doesNotMatch(await onRouter(NFT, 'list', 'ruleset'), /6881/)
  })
})
