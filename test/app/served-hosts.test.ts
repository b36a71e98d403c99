import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createServedHosts } from '../../src/app/served-hosts.ts'

it('hosts are this box where they end in the top-level domain, also below its own names', () => {
  const isServed = createServedHosts('btlink', ['GW.example'])
  const ours = [
    'btlink',
    'x-ih.btlink',
    'not.a.sound.name.btlink',
    'gw.example',
    'btlink.gw.example',
    'a.b-pk.btlink.gw.example',
    'btlink.localhost',
    'x-ih.btlink.localhost',
  ]
  for (const host of ours) assert.ok(isServed(host), host)
  const others = [
    '',
    'example',
    'notbtlink',
    'btlink.example',
    'x-ih.btlink.other.example',
    'sub.gw.example',
    'xbtlink.gw.example',
    'localhost',
    'btlink.com',
  ]
  for (const host of others) assert.ok(!isServed(host), host)
})
