import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { HASH } from '../../compliance/web-rtc.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { startWebRtc } from './support.ts'

const COOKIE = 0x2112_a442

/** A STUN server (RFC 8489) that takes everyone for 198.51.100.7:40000, or says nothing. */
async function stunServer(
  t: Cleanup,
  isSilent = false,
): Promise<{ port: number; asked: () => number }> {
  const socket = createSocket('udp4')
  let asked = 0
  socket.on('message', (request, { port, address }) => {
    asked += 1
    if (isSilent) return
    const reply = Buffer.alloc(32)
    reply.writeUInt16BE(0x0101, 0)
    reply.writeUInt16BE(12, 2)
    request.copy(reply, 4, 4, 20)
    // XOR-MAPPED-ADDRESS, eight bytes, IPv4.
    reply.writeUInt16BE(0x0020, 20)
    reply.writeUInt16BE(8, 22)
    reply.writeUInt8(1, 25)
    reply.writeUInt16BE(40_000 ^ (COOKIE >>> 16), 26)
    reply.writeUInt32BE((0xc633_6407 ^ COOKIE) >>> 0, 28)
    socket.send(reply, port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  finallyDo(t, () => void socket.close())
  return { port: socket.address().port, asked: () => asked }
}

describe('a STUN server of the configuration', () => {
  it('tells browsers outside where to reach us', async (t) => {
    const { port } = await stunServer(t)
    const room = await startWebRtc(t, { config: { stun_servers: [`127.0.0.1:${port}`] } })
    const [offer] = await room.offer(HASH, 1)
    assert.match(offer?.sdp ?? '', /198\.51\.100\.7 40000 typ srflx/)
  })

  it('that does not answer holds an offer up for two seconds only', async (t) => {
    const { port, asked } = await stunServer(t, true)
    const room = await startWebRtc(t, {
      config: { stun_servers: [`127.0.0.1:${port}`] },
      limits: { askMs: 4000 },
    })
    const [offer] = await room.offer(HASH, 1)
    assert.match(offer?.sdp ?? '', /typ host/)
    assert.doesNotMatch(offer?.sdp ?? '', /srflx/)
    assert.ok(asked() > 0)
  })

  it('cannot be misspelt', async (t) => {
    const config = { stun_servers: ['nonsense'] }
    await assert.rejects(startWebRtc(t, { config }), { code: 'BTL_ERR_WEBRTC_BAD_SERVER' })
  })
})
