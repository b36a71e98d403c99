import assert from 'node:assert/strict'
import { it } from 'node:test'
import { peerTable } from '../../../src/app/cli/peers.ts'

const peer = {
  address: '10.0.0.7:6881',
  kind: 'tcp',
  source: 'dht',
  downloadedBytes: 2048,
  uploadedBytes: 0,
  downloadBytesPerSecond: 1024,
  uploadBytesPerSecond: 0,
} as const

it('shows a line a peer, and nothing that moves the cursor of a terminal', () => {
  const text = peerTable([{ ...peer, client: 'evil\u001b[2J\u202eclient' }])
  const [head = '', line = '', ...more] = text.split('\n')
  assert.equal(more.length, 0)
  assert.match(head, /^PEER +KIND +SOURCE +CLIENT/)
  assert.match(line, /^10\.0\.0\.7:6881 +tcp +dht +evil\?\[2J\?client +1 ?[kK]i?B\/s +- /)
})
