import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createFrameReader, encodeFrame, MAX_FRAME_BYTES } from '../../../src/app/roles/frames.ts'
import { createRpcClient, type RpcClient } from '../../../src/app/roles/rpc-client.ts'
import { createRpcServer } from '../../../src/app/roles/rpc-server.ts'

describe('frames between roles', () => {
  const jsonValue = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.string({ maxLength: 5 }).filter((key) => key !== '$b' && key !== '__proto__'),
        tie('value'),
        { maxKeys: 4, noNullPrototype: true },
      ),
    ),
  })).value

  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(jsonValue, { maxLength: 5 }),
        fc.integer({ min: 1, max: 50 }),
        (messages, cut) => {
          const bytes = Buffer.concat(messages.map((message) => encodeFrame(message)))
          const reader = createFrameReader()
          const out: unknown[] = []
          for (let at = 0; at < bytes.length; at += cut)
            out.push(...reader.push(bytes.subarray(at, at + cut)))
          assert.deepEqual(out, messages)
        },
      ),
    )
  })

  it('are refused over the limit before they are read', () => {
    const header = Buffer.alloc(4)
    header.writeUInt32BE(MAX_FRAME_BYTES + 1)
    assert.throws(() => createFrameReader().push(header), { code: 'BTL_ERR_RPC_BAD_FRAME' })
    assert.throws(() => createFrameReader().push(Buffer.from('\0\0\0\x03{"a')), {
      code: 'BTL_ERR_RPC_BAD_FRAME',
    })
  })
})

describe('calls between roles', () => {
  let folder: string
  let path: string
  let server: ReturnType<typeof createRpcServer>
  let client: RpcClient
  let lastSignal: AbortSignal | undefined
  let given = 0

  const methods = new Map<string, (...args: unknown[]) => unknown>([
    ['t.echo', (...args) => Promise.resolve(args)],
    ['t.nothing', () => Promise.resolve(undefined)],
    [
      't.fail',
      () =>
        Promise.reject(
          Object.assign(new Error('no such thing'), { code: 'BTL_ERR_T_X', statusCode: 404 }),
        ),
    ],
    [
      't.wait',
      (signal) => {
        lastSignal = signal as AbortSignal
        return new Promise((_resolve, reject) => {
          lastSignal?.addEventListener('abort', () => reject(lastSignal?.reason as Error), {
            once: true,
          })
        })
      },
    ],
    [
      't.numbers',
      async function* (upTo, signal) {
        lastSignal = signal as AbortSignal
        given = 0
        for (let i = 0; i < (upTo as number); i++) {
          given = i + 1
          yield i
        }
      },
    ],
  ])

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'btl-rpc-'))
    path = join(folder, 'role.sock')
    server = createRpcServer(path, methods, silentLog)
    await server.start(new AbortController().signal)
    client = createRpcClient('test', path)
  })
  afterEach(async () => {
    await client.stop()
    await server.stop()
    await rm(folder, { recursive: true })
  })

  it('carry bytes, objects and what was left out', async () => {
    const args = [new Uint8Array([0, 255, 7]), { a: [1, 'x'] }, undefined, 'end']
    assert.deepEqual(await client.call('t.echo', args), [args[0], args[1], null, 'end'])
    assert.equal(await client.call('t.nothing', []), undefined)
  })

  it('carry the code, status and message of a failure', async () => {
    await assert.rejects(client.call('t.fail', []), {
      code: 'BTL_ERR_T_X',
      statusCode: 404,
      message: 'no such thing',
    })
    await assert.rejects(client.call('t.none', []), { code: 'BTL_ERR_RPC_NO_METHOD' })
  })

  it('are given up on both sides when the signal aborts', async () => {
    const leave = new AbortController()
    const waiting = client.call('t.wait', [leave.signal])
    await client.call('t.echo', [])
    leave.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
    await client.call('t.echo', [])
    assert.equal(lastSignal?.aborted, true)
  })

  it('stream in order, and no further ahead than the window', async () => {
    const numbers: unknown[] = []
    for await (const number of client.stream('t.numbers', [1000])) numbers.push(number)
    assert.deepEqual(
      numbers,
      Array.from({ length: 1000 }, (_, i) => i),
    )
    const slow = client.stream('t.numbers', [1000])[Symbol.asyncIterator]()
    await slow.next()
    await client.call('t.echo', [])
    assert.ok(given < 200, `${given} items were made for a reader that took one`)
    await slow.return?.()
  })

  it('end a stream on the other side when its reader leaves', async () => {
    const leave = new AbortController()
    for await (const _ of client.stream('t.numbers', [1000, leave.signal])) break
    await client.call('t.echo', [])
    assert.equal(lastSignal?.aborted, true)
  })

  it('fail at once when the other role dies, and work again when it is back', async () => {
    const waiting = client.call('t.wait', [new AbortController().signal])
    const failed = assert.rejects(waiting, { code: 'BTL_ERR_RPC_UNAVAILABLE', statusCode: 503 })
    await client.call('t.echo', [])
    await server.stop()
    await failed
    const again = client.call('t.echo', [1])
    server = createRpcServer(path, methods, silentLog)
    await server.start(new AbortController().signal)
    assert.deepEqual(await again, [1])
  })

  it('drop a client that speaks nonsense and go on', async () => {
    const stranger = connect(path)
    const closed = new Promise((resolve) => stranger.once('close', resolve))
    stranger.write(Buffer.alloc(64, 0xff))
    await closed
    assert.deepEqual(await client.call('t.echo', [2]), [2])
  })

  it('listen on a socket that only owner and group may use', async () => {
    assert.equal((await stat(path)).mode & 0o777, 0o660)
  })
})
