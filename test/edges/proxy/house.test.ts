import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { describe, it } from 'node:test'
import { createHouse, machineNetworks } from '../../../src/edges/proxy/house.ts'

describe('the house', () => {
  it('has whoever is on its private networks, in its IPv6 network, or was let in', () => {
    const isHouse = createHouse(['198.51.100.0/24'], () => ['2001:db8:1:2::5/64'])
    for (const address of [
      '127.0.0.1',
      '192.168.1.9',
      'fe80::1%eth0',
      'fd00::9',
      '198.51.100.7',
      '2001:db8:1:2:ffff::1',
    ]) {
      assert.equal(isHouse(address), true, address)
    }
    for (const address of ['', 'x', '8.8.8.8', '198.51.101.1', '2001:db8:1:3::5', '2606:4700::1']) {
      assert.equal(isHouse(address), false, address)
    }
  })

  it('has a new IPv6 network once the provider gave it one', () => {
    let network = '2001:db8:1::5/64'
    const isHouse = createHouse([], () => [network])
    assert.equal(isHouse('2001:db8:2::9'), false)
    network = '2001:db8:2::5/64'
    assert.equal(isHouse('2001:db8:2::9'), true)
    assert.equal(isHouse('2001:db8:1::9'), false)
  })

  it('is told of networks with addresses, none of them of IPv4', () => {
    for (const network of machineNetworks()) assert.equal(isIP(network.split('/')[0] ?? ''), 6)
  })
})
