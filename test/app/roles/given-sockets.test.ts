import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { takeGivenSockets, udpFamily } from '../../../src/app/roles/given-sockets.ts'
import { finallyDo } from '../../support/temp.ts'

const NAMES = ['dns-udp', 'dns-tcp', 'notify']
const PID = 4711

const take = (env: NodeJS.ProcessEnv) => takeGivenSockets(env, NAMES, PID)
const about = (count: string, names: string, pid = String(PID)): NodeJS.ProcessEnv => ({
  LISTEN_PID: pid,
  LISTEN_FDS: count,
  LISTEN_FDNAMES: names,
})

/** Descriptors of sockets that this process has. */
const sockets = (): Set<number> =>
  new Set(
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:') ? Number(fd) : []
      } catch {
        return []
      }
    }),
  )

describe('the sockets that systemd passes', () => {
  it('are descriptors from 3 on, by name', () => {
    assert.deepEqual(
      [...take(about('4', 'dns-udp:dns-tcp:dns-udp:notify'))],
      [
        ['dns-udp', [3, 5]],
        ['dns-tcp', [4]],
        ['notify', [6]],
      ],
    )
  })

  it('are none where the variables are missing or about another process, whatever they say', () => {
    assert.equal(take({}).size, 0)
    assert.equal(take(about('1', 'dns-udp', '4712')).size, 0)
    assert.equal(take(about('x', 'y', '')).size, 0)
    assert.equal(take(about('0', '')).size, 0)
  })

  it('are told to no child, good or bad', () => {
    for (const env of [about('1', 'dns-udp'), about('1', 'dns-udp', '1'), about('9', 'x')]) {
      try {
        take(env)
      } catch {
        // It is refused, and gone all the same.
      }
      assert.deepEqual(env, {})
    }
  })

  for (const [what, count, names] of [
    ['no number', 'two', 'dns-udp:dns-tcp'],
    ['a negative number', '-1', ''],
    ['a number with a fraction', '1.5', 'dns-udp'],
    ['a number in hexadecimal', '0x1', 'dns-udp'],
    ['more sockets than anybody needs', '33', 'dns-udp:'.repeat(33).slice(0, -1)],
    ['fewer names than sockets', '2', 'dns-udp'],
    ['more names than sockets', '1', 'dns-udp:dns-tcp'],
    ['no names', '1', ''],
    ['a name of another role', '1', 'http'],
    ['an empty name', '2', 'dns-udp:'],
    ['the name of systemd for a socket without one', '1', 'unknown'],
  ] as const) {
    it(`are refused with ${what}`, () => {
      assert.throws(() => take(about(count, names)), { code: 'BTL_ERR_APP_SOCKETS' })
    })
  }

  it('are never taken for more or others than the variables name', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (count, names) => {
        let taken
        try {
          taken = take(about(count, names))
        } catch (error) {
          return error instanceof Error && 'code' in error && error.code === 'BTL_ERR_APP_SOCKETS'
        }
        return [...taken.values()].flat().length === Number(count)
      }),
    )
  })

  it('are told apart by the family that Node must know', async (t) => {
    for (const [type, address, family] of [
      ['udp4', '127.0.0.1', 4],
      ['udp6', '::1', 6],
    ] as const) {
      const before = sockets()
      const socket = createSocket(type).bind({ port: 0, address, exclusive: true })
      finallyDo(t, () => void socket.close())
      await once(socket, 'listening')
      const [fd] = [...sockets()].filter((one) => !before.has(one))
      assert.equal(udpFamily(fd ?? -1), family)
    }
    const before = sockets()
    const server = createServer().listen(0, '127.0.0.1')
    finallyDo(t, () => void server.close())
    await once(server, 'listening')
    const [fd] = [...sockets()].filter((one) => !before.has(one))
    assert.throws(() => udpFamily(fd ?? -1), { code: 'BTL_ERR_APP_SOCKETS' })
    assert.throws(() => udpFamily(9999), { code: 'BTL_ERR_APP_SOCKETS' })
  })
})
