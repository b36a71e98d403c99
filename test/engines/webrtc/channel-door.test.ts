import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import type { PeerAddress } from '../../../src/base/ports/dht-node.ts'
import { type ChannelDoor, createChannelDoor } from '../../../src/engines/webrtc/channel-door.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'
import { until } from '../../support/until.ts'

const KEY = 'ab'.repeat(32)

interface Taken {
  key: string
  stream: Socket
  address: PeerAddress | undefined
}

async function openDoor(t: Cleanup, { folder = '', greetingMs = 5000, maxChannels = 4 } = {}) {
  const taken: Taken[] = []
  const runDir = folder === '' ? await tempFolder(t, 'door') : folder
  const take = (key: string, stream: Socket, address: PeerAddress | undefined) =>
    void taken.push({ key, stream, address })
  const door: ChannelDoor = createChannelDoor(runDir, maxChannels, take, greetingMs)
  const path = await door.open()
  finallyDo(t, async () => {
    for (const { stream } of taken) stream.destroy()
    await door.close()
  })
  /** A connection that wrote `text`; its errors are its own. */
  const knock = (text: string): Socket => {
    const socket = connect(path)
    socket.on('error', () => undefined)
    socket.write(text)
    return socket
  }
  const isCut = async (socket: Socket) => {
    socket.resume()
    if (!socket.closed) await once(socket, 'close')
  }
  return { door, path, taken, knock, isCut }
}

describe('the door for channels', () => {
  it('is for the owner alone', async (t) => {
    const { path } = await openDoor(t)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  })

  it('lets in who shows an expected key, with what follows it', async (t) => {
    const { door, taken, knock } = await openDoor(t)
    door.expect(KEY)
    const far = knock(`${KEY} 10.77.0.2 50000\nhello`)
    const { key, stream, address } = await until('a channel', () => taken[0])
    assert.equal(key, KEY)
    assert.deepEqual(address, { host: '10.77.0.2', port: 50_000 })
    const [first] = (await once(stream, 'data')) as [Buffer]
    assert.equal(first.toString(), 'hello')
    stream.write('hello yourself')
    assert.equal(String((await once(far, 'data'))[0]), 'hello yourself')
  })

  it('reads a key that comes in pieces, and an address that is none as no address', async (t) => {
    const { door, taken, knock } = await openDoor(t)
    door.expect(KEY)
    const far = knock(KEY.slice(0, 10))
    await new Promise((resolve) => setTimeout(resolve, 20))
    far.write(`${KEY.slice(10)} 999.1 70000\n`)
    const { address } = await until('a channel', () => taken[0])
    assert.equal(address, undefined)
  })

  it('takes a key once', async (t) => {
    const { door, taken, knock, isCut } = await openDoor(t)
    door.expect(KEY)
    knock(`${KEY}\n`)
    await until('a channel', () => taken[0])
    await isCut(knock(`${KEY}\n`))
    assert.equal(taken.length, 1)
    assert.equal(door.refused(), 1)
  })

  it('cuts whoever shows another key, a forgotten one, or junk', async (t) => {
    const { door, taken, knock, isCut } = await openDoor(t)
    door.expect(KEY)
    door.expect('cd'.repeat(32))
    door.forget('cd'.repeat(32))
    const junk = [
      '\n',
      `${'cd'.repeat(32)}\n`,
      'x'.repeat(1000),
      `${KEY} \n`,
      `${KEY}\r\n`,
      '\0'.repeat(200),
    ]
    for (const text of junk) await isCut(knock(text))
    assert.equal(taken.length, 0)
    assert.equal(door.refused(), junk.length)
  })

  it('cuts whoever says nothing', async (t) => {
    const { knock, isCut } = await openDoor(t, { greetingMs: 100 })
    await isCut(knock(''))
  })

  it('has room for a few that say nothing, and then for none', async (t) => {
    const { knock, isCut } = await openDoor(t, { maxChannels: 1 })
    const silent = Array.from({ length: 40 }, () => knock(''))
    await Promise.race(silent.map(isCut))
    for (const socket of silent) socket.destroy()
  })

  it('takes the place of a socket that a killed daemon left', async (t) => {
    const folder = await tempFolder(t, 'door')
    await writeFile(join(folder, 'webrtc.sock'), '')
    const { door, taken, knock } = await openDoor(t, { folder })
    door.expect(KEY)
    knock(`${KEY}\n`)
    await until('a channel', () => taken[0])
  })

  it('opens in a folder of its own where the path gets too long, and removes it', async (t) => {
    const folder = join(await tempFolder(t, 'door'), 'x'.repeat(100))
    await mkdir(folder)
    const { door, path, taken, knock } = await openDoor(t, { folder })
    assert.ok(Buffer.byteLength(path) <= 107)
    assert.equal((await stat(dirname(path))).mode & 0o777, 0o700)
    door.expect(KEY)
    knock(`${KEY}\n`)
    const { stream } = await until('a channel', () => taken[0])
    stream.destroy()
    await door.close()
    assert.equal(existsSync(dirname(path)), false)
  })
})
