import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { infoHash } from '../../../src/base/hashes.ts'
import { clientOf } from '../../../src/edges/tracker/clients.ts'
import { HTTP_ANNOUNCES, UDP_ANNOUNCES } from '../../vectors/tracker-announces.ts'
import { announce, dict, peersOf, type Room, startRoom, udpClient } from './room.ts'

/** Sends the recorded bytes as they are. */
async function raw({ port }: Room, request: string): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('latin1')
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
    if (text.length - text.indexOf('\r\n\r\n') - 4 >= length) socket.end()
  })
  socket.write(request, 'latin1')
  await once(socket, 'close')
  const answer = Buffer.concat(chunks)
  return answer.subarray(answer.indexOf('\r\n\r\n') + 4)
}

const openRoom = async (t: Parameters<typeof startRoom>[0]) =>
  startRoom(t, { config: { access: 'open' } })

const hashIn = (request: string): string => {
  const escaped = /info_hash=([^&]*)/.exec(request)?.[1] ?? ''
  const bytes = escaped.replaceAll(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return infoHash(Buffer.from(bytes, 'latin1').toString('hex'))
}

describe('the clients people use', () => {
  for (const { program, name, started, stopped } of HTTP_ANNOUNCES) {
    it(`K07 ${program} joins and leaves over HTTP`, async (t) => {
      const room = await openRoom(t)
      const hash = hashIn(started)
      const other = { hash, port: 7777, id: '-XX0000-otherotherot' }
      await announce(room, other)
      const answer = dict(await raw(room, started))
      assert.equal(answer.get('failure reason'), undefined)
      assert.deepEqual(peersOf(answer), ['127.0.0.1:7777'])
      const port = /&port=(\d+)/.exec(started)?.[1] ?? ''
      assert.deepEqual(peersOf(await announce(room, other)), [`127.0.0.1:${port}`])
      assert.equal(room.tracker.stats()[`client_${name}`], 1)
      const last = dict(await raw(room, stopped))
      assert.deepEqual(peersOf(last), [])
      assert.deepEqual(peersOf(await announce(room, other)), [])
    })
  }

  for (const { program, name, started, stopped } of UDP_ANNOUNCES) {
    it(`K07 ${program} joins and leaves over UDP`, async (t) => {
      const room = await openRoom(t)
      const client = await udpClient(t, room.tracker.udpPort)
      const connection = await client.connect()
      const say = async (recorded: string) => {
        const packet = Buffer.from(recorded, 'hex')
        packet.set(connection, 0)
        const reply = await client.exchange(packet, 2000)
        assert.equal(reply?.readUInt32BE(0), 1, reply?.toString('latin1'))
        return reply
      }
      const hash = infoHash(started.slice(32, 72))
      const other = { hash, port: 7777, id: '-XX0000-otherotherot' }
      await announce(room, other)
      assert.equal((await say(started)).length, 26)
      const [port] = peersOf(await announce(room, other))
      assert.match(port ?? '', /^127\.0\.0\.1:\d+$/)
      assert.equal(room.tracker.stats()[`client_${name}`], 1)
      assert.equal((await say(stopped)).length, 20)
      assert.deepEqual(peersOf(await announce(room, other)), [])
    })
  }

  it('K07 bittorrent-tracker has completed although it says that all is left', async (t) => {
    const room = await openRoom(t)
    const peer = { port: 6001, id: '-WW0208-123456789012' }
    await announce(room, peer)
    const done = await announce(room, { ...peer, left: 16_384, event: 'completed' })
    assert.equal(done.get('complete'), 1)
    assert.equal(done.get('downloaded'), 1)
  })

  it('K07 knows them by their peer ids, and calls all others other', () => {
    const named = (id: string) => clientOf(Buffer.from(id, 'latin1')).name
    assert.equal(named('-qB4520-lIeayeHSVC4w'), 'qbittorrent')
    assert.equal(named('A2-1-36-0-0123456789'), 'aria2')
    assert.equal(named('-XX0000-123456789012'), 'other')
    assert.equal(named('M7-9-2--123456789012'), 'other')
    assert.equal(named('\0'.repeat(20)), 'other')
  })
})
