import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createPortMapping } from '../../../src/engines/torrent/discovery/port-mapping.ts'
import {
  decodeNatPmp,
  decodePcp,
  encodeNatPmp,
  encodePcp,
  gatewayOf,
} from '../../../src/engines/torrent/discovery/port-mapping-codec.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { until } from '../../support/until.ts'
import { startEngine } from './support.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const NONCE = hex('000102030405060708090a0b')

/** A router on loopback; `answer` gives the reply to a packet. */
async function router(t: Cleanup, answer: (packet: Buffer) => Uint8Array | undefined) {
  const socket = createSocket('udp4')
  const heard: Buffer[] = []
  socket.on('message', (packet, { port, address }) => {
    heard.push(packet)
    const reply = answer(packet)
    if (reply) socket.send(reply, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  finallyDo(t, () => void socket.close())
  return { heard, port: socket.address().port }
}

function natPmpReply(packet: Buffer, externalPort: number, result = 0): Buffer {
  const reply = Buffer.alloc(16)
  reply[1] = 130
  reply.writeUInt16BE(result, 2)
  packet.copy(reply, 8, 4, 6)
  reply.writeUInt16BE(externalPort, 10)
  packet.copy(reply, 12, 8, 12)
  return reply
}

function pcpReply(packet: Buffer, externalPort: number): Buffer {
  const reply = Buffer.from(packet)
  reply[1] = 129
  reply[3] = 0
  reply.writeUInt16BE(externalPort, 42)
  return reply
}

const mappingAt = (t: Cleanup, port: number) => {
  const mapping = createPortMapping({ log: silentLog, port, gateway: async () => '127.0.0.1' })
  finallyDo(t, async () => mapping.stop())
  return mapping
}

describe('requests for a port', () => {
  it('are those of RFC 6886', () => {
    const wish = { internalPort: 6881, externalPort: 6882, lifetimeSeconds: 7200 }
    assert.deepEqual(encodeNatPmp(wish), hex('00 02 0000 1ae1 1ae2 00001c20'))
    assert.deepEqual(decodeNatPmp(hex('00 82 0000 00000001 1ae1 1ae2 00001c20')), {
      result: 0,
      ...wish,
    })
    assert.equal(decodeNatPmp(hex('00 82 0002 00000001'))?.result, 2)
  })

  it('are those of RFC 6887', () => {
    const wish = { internalPort: 6881, externalPort: 6882, lifetimeSeconds: 7200 }
    const packet = Buffer.from(encodePcp(wish, '192.168.1.7', NONCE))
    assert.deepEqual(
      packet,
      hex(
        '02 01 0000 00001c20 00000000000000000000ffffc0a80107' +
          '000102030405060708090a0b 06 000000 1ae1 1ae2 00000000000000000000ffff00000000',
      ),
    )
    assert.deepEqual(decodePcp(pcpReply(packet, 7000), NONCE), {
      ...wish,
      result: 0,
      externalPort: 7000,
    })
    assert.equal(decodePcp(pcpReply(packet, 7000), Buffer.alloc(12)), undefined)
  })

  it('are answered by nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        decodeNatPmp(bytes)
        assert.equal(decodePcp(bytes, NONCE), undefined)
      }),
    )
    for (const broken of ['', '00', '0082', '00820000', '0002000000000001', '008200000000000100'])
      assert.equal(decodeNatPmp(hex(broken)), undefined)
  })

  it('go to the router of the default route', () => {
    const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n'
    const link = 'eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n'
    const route = 'eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n'
    assert.equal(gatewayOf(head + link + route), '192.168.0.1')
    for (const none of ['', head, head + link, `${head}eth0\t00000000\tx\t0003\n`])
      assert.equal(gatewayOf(none), undefined)
  })
})

describe('the peer port', () => {
  it('is mapped by PCP, and given back at the end', async (t) => {
    const box = await router(t, (packet) => (packet[0] === 2 ? pcpReply(packet, 7001) : undefined))
    const mapping = mappingAt(t, box.port)
    mapping.start(6881)
    await until('the mapping', () => mapping.externalPort() === 7001)
    await mapping.stop()
    assert.equal(mapping.externalPort(), 0)
    const last = box.heard.at(-1)
    assert.deepEqual([last?.[0], last?.readUInt32BE(4)], [2, 0])
  })

  it('is mapped by NAT-PMP where the router knows nothing newer', async (t) => {
    const box = await router(t, (packet) => {
      if (packet[0] === 0) return natPmpReply(packet, 6881)
      return hex('00 81 0001 00000001')
    })
    const mapping = mappingAt(t, box.port)
    mapping.start(6881)
    await until('the mapping', () => mapping.externalPort() === 6881)
  })

  it('stays as it is where the router refuses, answers nonsense or is not there', async (t) => {
    const answers = [
      (packet: Buffer) => natPmpReply(packet, 1, 2),
      (packet: Buffer) =>
        natPmpReply(Buffer.concat([packet.subarray(0, 4), hex('0001 0001 00000001')]), 5),
      () => hex('ffffffff'),
      () => undefined,
    ]
    for (const answer of answers) {
      const box = await router(t, answer)
      const mapping = mappingAt(t, box.port)
      mapping.start(6881)
      await until('all tries', () => box.heard.length >= 4)
      assert.equal(mapping.externalPort(), 0)
      await mapping.stop()
    }
    const nobody = mappingAt(t, 1)
    nobody.start(6881)
    await nobody.stop()
  })

  it('is nothing the router hears of unless it is switched on', async (t) => {
    // The default; with it the engine has no mapping that could send anything.
    const box = await startEngine(t)
    const { stats } = await box.engine.listening()
    assert.equal(stats['mapped_port'], 0)
  })
})
