import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { household, withoutNetns } from '../../support/household.ts'
import { PYTHON } from '../../support/libtorrent.ts'
import { missing, output, start } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { announcePacket, announceTarget, connectPacket, dict, peerId, peersOf } from './room.ts'

/** Sends a connect and then an announce with the id it got; prints the reply in hex. */
const UDP_CLIENT = `
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], int(sys.argv[2])))
s.send(bytes.fromhex(sys.argv[3]))
reply = s.recv(2048)
s.send(reply[8:16] + bytes.fromhex(sys.argv[4])[8:])
print(s.recv(2048).hex())
`

describe('the tracker in a house', { skip: withoutNetns() || missing(PYTHON) }, () => {
  it('K09 tells devices the address of the box they share a network with, over UDP and HTTP', async (t) => {
    const [box, laptop, phone] = await household(t, 'box', 'laptop', 'phone')
    assert.ok(box && laptop && phone)
    const child = start(
      t,
      process.execPath,
      [join(import.meta.dirname, 'house-child.ts'), await tempFolder(t)],
      { netns: box.netns },
    )
    const ports = JSON.parse(await child.line((line) => line.includes('http'))) as {
      http: number
      udp: number
    }
    const packet = announcePacket(Buffer.alloc(8), { port: 6001, id: peerId('laptop') })
    const exchange = [connectPacket(1).toString('hex'), packet.toString('hex')]
    const client = ['-c', UDP_CLIENT, box.address, String(ports.udp), ...exchange]
    // The system may need a second before it lists a network that just came up.
    const reply = await until('the box to know its network', async () => {
      const hex = await output(PYTHON, client, { netns: laptop.netns })
      const answer = Buffer.from(hex.trim(), 'hex')
      return answer.length > 20 && answer
    })
    assert.equal(reply.readUInt32BE(0), 1)
    assert.deepEqual([...reply.subarray(20)], [10, 77, 0, 1, 42_000 >> 8, 42_000 & 255])

    const target = announceTarget({ port: 6002, id: peerId('phone') })
    const url = `http://${box.address}:${ports.http}${target}`
    const peers = dict(await bytesAt(url, phone.netns))
    assert.deepEqual(peersOf(peers), [`${box.address}:42000`, `${laptop.address}:6001`])

    const met = JSON.parse(await child.line((line) => line.includes('met'))) as { met: object[] }
    assert.deepEqual(met.met[0], { host: laptop.address, port: 6001 })
  })
})

/** The bytes of an answer, which are no text. */
async function bytesAt(url: string, netns: string): Promise<Buffer> {
  const script =
    'import sys, urllib.request\nprint(urllib.request.urlopen(sys.argv[1]).read().hex())'
  const hex = await output(PYTHON, ['-c', script, url], { netns })
  return Buffer.from(hex.trim(), 'hex')
}
