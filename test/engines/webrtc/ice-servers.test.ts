import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseIceServers } from '../../../src/engines/webrtc/ice-servers.ts'

describe('STUN and TURN servers', () => {
  it('are read as people write them', () => {
    assert.deepEqual(
      parseIceServers(
        ['stun.example.org:3478', 'stun:[2001:db8::1]:3478'],
        ['me:p@ss:word@turn.example.org:3478', 'turn:me:x@192.0.2.1:443?transport=tcp'],
      ),
      [
        { hostname: 'stun.example.org', port: 3478 },
        { hostname: '2001:db8::1', port: 3478 },
        {
          hostname: 'turn.example.org',
          port: 3478,
          username: 'me',
          password: 'p@ss:word',
          relayType: 'TurnUdp',
        },
        { hostname: '192.0.2.1', port: 443, username: 'me', password: 'x', relayType: 'TurnTcp' },
      ],
    )
  })

  it('are refused by name, and a password is not repeated', () => {
    for (const text of ['', 'host', 'host:0', 'host:70000', 'a b:1', 'me:x@host:1', 'http://a:1']) {
      assert.throws(() => parseIceServers([text], []), {
        code: 'BTL_ERR_WEBRTC_BAD_SERVER',
        message: /^webrtc\.stun_servers has an entry that is not host:port/,
      })
    }
    for (const text of ['', 'host:1', 'me@host:1', 'me:secret@host', 'me:secret@host:0']) {
      assert.throws(() => parseIceServers([], [text]), {
        code: 'BTL_ERR_WEBRTC_BAD_SERVER',
        message: 'webrtc.turn_servers has an entry that is not user:password@host:port',
      })
    }
  })
})
