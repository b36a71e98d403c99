import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { toHex } from '../../../src/base/bytes.ts'
import type { DhtInfo, PeerAddress, PutOutcome } from '../../../src/base/ports/dht-node.ts'
import { type Box, household, withoutNetns } from '../../support/household.ts'
import { missing, start } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import type { Command } from './child-node.ts'

const TRANSMISSION = '/usr/bin/transmission-daemon'
const CHILD = fileURLToPath(new URL('child-node.ts', import.meta.url))
const PORT = 6999

async function ourNode(t: TestContext, box: Box, bootstrap?: string) {
  const args = [CHILD, box.address, String(PORT), ...(bootstrap === undefined ? [] : [bootstrap])]
  const running = start(t, process.execPath, args, { netns: box.netns })
  await running.line((text) => text.includes('listening'))
  let asked = 1
  const tell = async <T>(command: Command): Promise<T> => {
    running.send(JSON.stringify(command))
    let seen = 0
    const line = await running.line(() => ++seen > asked)
    asked++
    return JSON.parse(line) as T
  }
  return { tell, stop: () => running.stop() }
}

// Transmission takes no loopback address for a node, so each program gets a box of its own.
describe('the DHT node and Transmission', { skip: missing(TRANSMISSION) || withoutNetns() }, () => {
  it('announce to and search through each other', async (t) => {
    const [a, b, c] = await household(t, 'a', 'b', 'c')
    assert.ok(a && b && c)
    const config = await tempFolder(t)
    const settings = {
      'bind-address-ipv4': c.address,
      'dht-enabled': true,
      'lpd-enabled': false,
      'peer-port': PORT,
      'port-forwarding-enabled': false,
      'rpc-enabled': false,
      'utp-enabled': false,
    }
    await writeFile(join(config, 'settings.json'), JSON.stringify(settings))
    await writeFile(join(config, 'dht.bootstrap'), `${a.address} ${PORT}\n`)
    const first = await ourNode(t, a)
    start(t, TRANSMISSION, ['-f', '-g', config, '-w', config], { netns: c.netns })

    await until(
      'Transmission joins through our node',
      async () => (await first.tell<DhtInfo>({ do: 'info' })).nodes4 === 1,
      { timeoutMs: 25_000, everyMs: 200 },
    )
    const info = await first.tell<DhtInfo>({ do: 'info' })
    assert.ok((info.stats['queries_received'] ?? 0) > 0, 'it asked us')

    const hash = toHex(new Uint8Array(20).fill(0x99))
    const put = await first.tell<PutOutcome>({ do: 'announce', hash, port: 5005 })
    assert.equal(put.stored, 1, 'it took our announce')

    // The second box knows Transmission only, so what it finds came from there.
    const second = await ourNode(t, b, `${c.address}:${PORT}`)
    await until('the second box knows it', async () => {
      return (await second.tell<DhtInfo>({ do: 'info' })).nodes4 >= 1
    })
    const found = await second.tell<PeerAddress[]>({ do: 'peers', hash })
    assert.ok(found.some(({ host, port }) => host === a.address && port === 5005))
  })
})
