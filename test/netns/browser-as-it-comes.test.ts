import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CHROMIUM } from '../support/browser.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { type Box, etc, household, withoutNetns } from '../support/household.ts'
import { publish } from '../support/neighbours.ts'
import { missing, output, run, type Running, start } from '../support/processes.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'
import { pattern } from '../support/torrents.ts'
import { chromiumPeer } from '../support/torrent-clients/chromium-peer.ts'

const TCPDUMP = '/usr/bin/tcpdump'
const skip = withoutNetns() || missing(CHROMIUM, TCPDUMP, '/usr/bin/curl', '/usr/bin/python3')

/** Whatever asks for or goes to an address outside of the house; a way out is there, so it would. */
const OUTSIDE = [
  '(ip or arp) and not dst net 10.77.0.0/24 and not dst net 224.0.0.0/4 and not dst host 255.255.255.255 and not dst host 0.0.0.0',
  'ip6 and not dst net fe80::/10 and not dst net ff00::/8',
]

const SEEN = / (?:IP6?|ARP),? /

function watch(t: Cleanup, { netns }: Box): Running {
  const filter = OUTSIDE.map((one) => `(${one})`).join(' or ')
  return start(t, TCPDUMP, ['-i', 'eth0', '-nn', '-l', '--immediate-mode', filter], { netns })
}

// The names of its addresses are asked for by mDNS: neither avahi nor nss-mdns runs in here.
describe('a browser with the settings people have', { skip }, () => {
  it('takes a site from the box, and nothing leaves the house', async (t) => {
    const [own, c] = await household(t, 'box', 'c')
    assert.ok(own && c)
    await output('/usr/sbin/ip', ['-n', own.netns, 'route', 'add', 'default', 'dev', 'eth0'])
    // Chromium looks names up of its own accord; whom it asks is no matter of ours.
    await etc(t, c, 'resolv.conf', 'nameserver 127.0.0.1\n')
    const watched = [watch(t, own), watch(t, c)]
    const box = await createTestDaemon(t, own)
    const folder = join(await tempFolder(t, 'site'), 'site')
    const film = pattern(2_000_000, 4)
    await writeSite(folder, { 'film.bin': film })
    const { infoHash } = await publish(box, folder, 'home')
    const page = await chromiumPeer(t, { ...c, asItComes: true })
    const tracker = `ws://${own.address}:${box.port('gateway')}/announce`
    const magnet = `magnet:?xt=urn:btih:${infoHash}&tr=${encodeURIComponent(tracker)}`
    const got = await page.take(magnet, 30_000)
    assert.equal(got['site/film.bin'], createHash('sha256').update(film).digest('hex'))
    for (const [index, { netns }] of [own, c].entries()) {
      // The watch works: this one is seen.
      await run('/usr/bin/curl', ['-s', '-m', '1', 'http://192.0.2.1/'], { netns })
      const tcpdump = watched[index]
      await tcpdump?.stop()
      const seen = (tcpdump?.output() ?? '').split('\n').filter((line) => SEEN.test(line))
      assert.ok(seen.length > 0)
      assert.deepEqual(
        seen.filter((line) => !line.includes('192.0.2.1')),
        [],
      )
    }
  })
})
