import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { silentLog } from '../../../src/base/ports/log.ts'
import { askAvahi } from '../../../src/engines/webrtc/avahi.ts'
import { createMdns } from '../../../src/engines/webrtc/mdns.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

/** Nothing is sent to the machine's own network. */
const interfaces = () => []
const NAME = '5cf3a2f9-9a61-4a04-9b51-5be04c5d4b0a.local'

/** Something in Avahi's place that says `reply` to every question. */
async function avahi(
  t: Cleanup,
  reply: string | undefined,
): Promise<{ path: string; asked: string[] }> {
  const path = join(await tempFolder(t, 'avahi'), 'socket')
  const asked: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (question) => {
      asked.push(question.toString())
      if (reply !== undefined) socket.write(reply)
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  finallyDo(t, () => void server.close())
  return { path, asked }
}

describe('Avahi', () => {
  it('is asked in its own words', async (t) => {
    const { path, asked } = await avahi(t, `+ 2 0 ${NAME} 10.77.0.2\n`)
    assert.equal(await askAvahi(NAME, path), '10.77.0.2')
    assert.deepEqual(asked, [`RESOLVE-HOSTNAME ${NAME}\n`])
  })

  it('may not know, say nonsense or nothing, or not be there', async (t) => {
    const replies = ['-15 Timeout reached\n', '+ 2 0 x.local\n', '+ 2 0 x 224.0.0.251\n', '\n']
    replies.push('x'.repeat(5000), '+ 2 0 x 10.0.0.1.2\n', '+ 2 1 x fe80::1\n')
    for (const reply of replies) {
      assert.equal(await askAvahi(NAME, (await avahi(t, reply)).path), undefined, reply)
    }
    assert.equal(await askAvahi(NAME, (await avahi(t, undefined)).path), undefined)
    assert.equal(await askAvahi(NAME, '/nowhere/socket'), undefined)
  })
})

describe('a name that ends in .local', () => {
  it('is remembered for a while, and asked for once by many', async (t) => {
    let asked = 0
    let now = 0
    const system = async () => {
      asked += 1
      return '10.77.0.9'
    }
    const mdns = createMdns(
      { log: silentLog, clock: { now: () => now } },
      { system, interfaces, limitMs: 50 },
    )
    finallyDo(t, () => mdns.stop())
    const all = await Promise.all([mdns.resolve(NAME), mdns.resolve(NAME.toUpperCase())])
    assert.deepEqual(all, ['10.77.0.9', '10.77.0.9'])
    assert.equal(await mdns.resolve(NAME), '10.77.0.9')
    assert.equal(asked, 1)
    now += 100_000
    await mdns.resolve(NAME)
    assert.equal(asked, 2)
  })

  it('is given up in time, and when it is stopped', async () => {
    const system = () => new Promise<undefined>(() => {})
    const mdns = createMdns(
      { log: silentLog, clock: { now: () => 0 } },
      { system, interfaces, limitMs: 30 },
    )
    assert.equal(await mdns.resolve(NAME), undefined)
    const waiting = mdns.resolve(NAME)
    mdns.stop()
    assert.equal(await waiting, undefined)
  })

  it('is all that is asked for', async () => {
    let asked = 0
    const system = async () => {
      asked += 1
      return undefined
    }
    const mdns = createMdns(
      { log: silentLog, clock: { now: () => 0 } },
      { system, interfaces, limitMs: 30 },
    )
    for (const name of ['example.com', 'a.b.local', 'local', '.local', 'x\n.local', 'x.local.']) {
      assert.equal(await mdns.resolve(name), undefined)
    }
    assert.equal(asked, 0)
  })

  it('is not asked for without end', async () => {
    let asked = 0
    const system = () => {
      asked += 1
      return new Promise<undefined>(() => {})
    }
    const mdns = createMdns(
      { log: silentLog, clock: { now: () => 0 } },
      { system, interfaces, limitMs: 200 },
    )
    await Promise.all(Array.from({ length: 500 }, (_, i) => mdns.resolve(`n${i}.local`)))
    assert.equal(asked, 64)
    mdns.stop()
  })
})
