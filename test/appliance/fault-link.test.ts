/** Two boxes on a network whose cables are pulled all the time, and that changes under them. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { env } from 'node:process'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestDaemon } from '../support/daemon.ts'
import { DIG } from '../support/dns-servers.ts'
import { household, withoutNetns } from '../support/household.ts'
import { libtorrentNode, PYTHON } from '../support/libtorrent.ts'
import { publish, publishedSite } from '../support/neighbours.ts'
import { missing, output, run } from '../support/processes.ts'
import { until } from '../support/until.ts'

const IP = '/usr/sbin/ip'
const FLAPS = Number(env['BTL_FLAPS'] ?? 30)
const skip = withoutNetns() || missing(IP, PYTHON, DIG)

describe('a box on a bad cable', { skip }, () => {
  it(`after ${FLAPS} times off and on, another address and an MTU of 1280 is found, finds, and has kept its pages`, async (t) => {
    const [boxA, boxB, boxN] = await household(t, 'a', 'b', 'n')
    assert.ok(boxA && boxB && boxN)
    const node = await libtorrentNode(t, { netns: boxN.netns, host: boxN.address })
    const bootstrap = [`${boxN.address}:${node.port}`]
    const a = await createTestDaemon(t, { ...boxA, bootstrap })
    const b = await createTestDaemon(t, { ...boxB, bootstrap })
    const site = await publishedSite(t, a, b)
    const link = async (netns: string, ...args: string[]) => output(IP, ['-n', netns, ...args])

    for (let flap = 0; flap < FLAPS; flap++) {
      for (const { netns } of [boxA, boxB]) await link(netns, 'link', 'set', 'eth0', 'down')
      await sleep(30)
      // With no link at all: what is known is served, and names of the box are answered.
      if (flap % 10 === 0) {
        assert.equal((await b.get(site.host)).status, 200)
        const dig = [`@127.0.0.1`, '-p', String(b.port('dns')), '+tries=1', '+time=2', site.host]
        const { stdout } = await run(DIG, dig, { netns: boxB.netns })
        assert.match(stdout, /status: NOERROR/)
      }
      for (const { netns } of [boxA, boxB]) await link(netns, 'link', 'set', 'eth0', 'up')
      await sleep(30)
    }
    await link(boxA.netns, 'addr', 'del', `${boxA.address}/24`, 'dev', 'eth0')
    await link(boxA.netns, 'addr', 'add', '10.77.0.77/24', 'dev', 'eth0')
    for (const { netns } of [boxA, boxB]) {
      await link(netns, 'link', 'set', 'eth0', 'mtu', '1280')
    }

    const startedAt = performance.now()
    const text = '<!doctype html><title>After the storm</title>'
    await writeFile(join(site.folder, 'index.html'), text)
    const next = await publish(a, site.folder, 'home')
    assert.ok(next.seq > site.seq)
    await until(
      'the other box to see the new version, from the new address',
      async () => {
        // Asked for by infohash as well: the name may still be good for its cache time.
        const answer = await b.get(`${next.infoHash}-ih.btlink`, '/', { maxSeconds: 10 })
        return answer.text() === text
      },
      { timeoutMs: 60_000, everyMs: 500 },
    )
    t.diagnostic(`seen after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
    for (const box of [a, b]) {
      assert.doesNotMatch(box.output(), /nobody handled a rejection|role ended/)
    }
  })
})
