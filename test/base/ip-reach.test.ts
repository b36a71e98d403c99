import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isHouse, plainAddress, reachOf } from '../../src/base/ip-reach.ts'

describe('the reach of an address', () => {
  it('follows the registries of special addresses', () => {
    const table = {
      loopback: ['127.0.0.1', '127.255.0.1', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1'],
      private: ['10.0.0.1', '172.31.0.1', '192.168.1.1', '169.254.1.1', '100.64.0.1', 'fd00::1'],
      reserved: ['0.0.0.0', '192.0.2.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '::'],
      public: ['9.9.9.9', '172.32.0.1', '100.128.0.1', '192.169.0.1', '2606:4700::1111'],
    }
    for (const [reach, hosts] of Object.entries(table))
      for (const host of hosts) assert.equal(reachOf(host), reach, host)
    for (const host of ['fe80::1%eth0', 'fe80::1', '::ffff:192.168.0.1'])
      assert.equal(reachOf(host), 'private', host)
    for (const host of [
      '64:ff9b::a00:1',
      '2002:a00:1::',
      '2001:0:1::',
      'ff02::fb',
      'localhost',
      '',
    ])
      assert.equal(reachOf(host), 'reserved', host)
  })

  it('is the house for loopback and private addresses alone', () => {
    assert.ok(isHouse('192.168.0.1') && isHouse('::1'))
    assert.ok(!isHouse('9.9.9.9') && !isHouse('224.0.0.1') && !isHouse('nobody'))
  })

  it('is judged by the address without its wrapping', () => {
    assert.equal(plainAddress('::ffff:10.0.0.1'), '10.0.0.1')
    assert.equal(plainAddress('::ffff:a00:1'), '10.0.0.1')
    assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
    assert.equal(plainAddress('10.0.0.256'), undefined)
  })
})
