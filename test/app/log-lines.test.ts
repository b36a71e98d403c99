import assert from 'node:assert/strict'
import { fstatSync } from 'node:fs'
import { describe, it } from 'node:test'
import { createLog, isJournal } from '../../src/app/log-lines.ts'

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

describe('log lines for the journal', () => {
  it('begin with their priority, and have no time of their own', () => {
    const lines: string[] = []
    const log = createLog(
      'dns',
      { level: 'debug', format: 'text' },
      (line) => lines.push(line),
      true,
    )
    log.warn({ port: 53 }, 'is busy')
    log.error({}, 'is away')
    log.info({}, 'is back')
    log.debug({}, 'looks')
    assert.deepEqual(lines, [
      '<4>dns: is busy port=53\n',
      '<3>dns: is away\n',
      '<6>dns: is back\n',
      '<7>dns: looks\n',
    ])
  })

  it('begin with it in JSON too, which `journalctl -p err` would not find else', () => {
    let line = ''
    const write = (text: string) => (line += text)
    createLog('dns', { level: 'info', format: 'json' }, write, true).error({}, 'is away')
    assert.match(line, /^<3>\{.*"level":"error".*\}\n$/)
  })

  it('are written where the stream is the one systemd says', () => {
    const { dev, ino } = fstatSync(2)
    assert.equal(isJournal(`${dev}:${ino}`), true)
    assert.equal(isJournal(`${dev}:${ino + 1}`), false)
    assert.equal(isJournal(undefined), false)
    assert.equal(isJournal('1:1', 9999), false)
  })
})
