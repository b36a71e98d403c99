import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLog } from '../../src/app/log-lines.ts'

/** The fields of one line as people read it. */
function said(fields: object): string {
  let line = ''
  createLog('test', { level: 'info', format: 'text' }, (text) => (line += text)).info(fields, 'so')
  return line.split('test: so')[1] ?? ''
}

describe('log lines for people', () => {
  it('write a list of words as people do', () => {
    assert.equal(said({ at: ['127.0.0.1', '::1', '[::1]:53'] }), ' at=127.0.0.1,::1,[::1]:53\n')
    assert.equal(said({ none: [] }), ' none=""\n')
    assert.equal(said({ sizes: [1, 2], of: { a: 1 } }), ' sizes=[1,2] of="{\\"a\\":1}"\n')
  })

  it('let nobody start a line or move the cursor', () => {
    assert.equal(said({ name: 'a\n2026 error' }), ' name="a\\n2026 error"\n')
    assert.equal(said({ names: ['a', '\u001b[2J\n'] }), ' names="a,\\u001b[2J\\n"\n')
    assert.ok(said({ long: 'x'.repeat(5000) }).length < 600)
  })
})
