import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTestDaemon, type TestDaemon } from '../../support/daemon.ts'
import { DIG, startKnot, withoutServers } from '../../support/dns-servers.ts'
import { output } from '../../support/processes.ts'
import { stateAtRest } from './state-at-rest.ts'

const SITE = `${'4a'.repeat(20)}-ih.btlink`

/** Records as both programs print them, in no order, without their TTLs: those run down. */
const answersIn = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(';'))
    .map((line) => line.replace(/\s+/g, ' ').replace(/^(\S+) \d+ /, '$1 '))
    .sort()

async function dug(box: TestDaemon, name: string, type: string): Promise<string[]> {
  const place = ['@127.0.0.1', '-p', String(box.port('dns'))]
  const sections = ['+noall', '+answer', '+authority', '+additional', '+nocookie']
  return answersIn(await output(DIG, [...place, ...sections, name, type]))
}

describe('btlinkd dns query', { skip: withoutServers() }, () => {
  it('prints what dig prints, and which rule said so', async (t) => {
    const knot = await startKnot(t)
    const box = await createTestDaemon(t, {
      config: {
        dns: { port: 0, records: ['nas.lan=192.168.1.5', 'nas.lan=TXT say "hi" \\ there'] },
        // .test stays in the house but for a domain with a server of its own.
        upstream: { routes: [`example.test=127.0.0.1:${knot.port}`] },
      },
    })
    const cases: [name: string, type: string, rule: string, rcode: string][] = [
      [SITE, 'A', 'btlink-names', 'NOERROR'],
      [SITE, 'HTTPS', 'btlink-names', 'NOERROR'],
      ['no-name.btlink', 'A', 'btlink-names', 'NXDOMAIN'],
      ['btlink', 'SOA', 'btlink-names', 'NOERROR'],
      ['nas.lan', 'A', 'local-records', 'NOERROR'],
      ['nas.lan', 'TXT', 'local-records', 'NOERROR'],
      ['use-application-dns.net', 'A', 'special-names', 'NXDOMAIN'],
      ['localhost', 'AAAA', 'special-names', 'NOERROR'],
      ['example.test', 'ANY', 'policy', 'NOERROR'],
      ['web.example.test', 'aaaa', 'forward', 'NOERROR'],
      ['www.example.test', 'A', 'forward', 'NOERROR'],
      ['web.example.test', 'TYPE65', 'forward', 'NOERROR'],
      ['unknown.example.test', 'TYPE65280', 'forward', 'NOERROR'],
      ['long.example.test', 'TXT', 'forward', 'NOERROR'],
      ['none.example.test', 'A', 'forward', 'NXDOMAIN'],
      ['a\\.b.example.test', 'A', 'forward', 'NXDOMAIN'],
    ]
    for (const [name, type, rule, rcode] of cases) {
      const { stdout, stderr } = await box.cli('dns', 'query', name, type)
      assert.match(stdout, new RegExp(`^;; .*: ${rcode}, flags .*\n;; rule: ${rule}\n`), stderr)
      assert.match(stdout, /^;; \d+(\.\d)? ms, \d+ bytes$/m)
      assert.deepEqual(answersIn(stdout), await dug(box, name, type), `${name} ${type}`)
    }

    const { stdout } = await box.cli('dns', 'query', 'nas.lan')
    assert.match(stdout, /^;; nas\.lan\. A: NOERROR, flags qr aa rd ra\n;; rule: local-records\n/)
    assert.match(stdout, /^nas\.lan\.\t\d+\tIN\tA\t192\.168\.1\.5$/m)
    const unknown = await box.json('dns', 'query', 'unknown.example.test', 'type65280')
    assert.equal((unknown['answers'] as { data: string }[])[0]?.data, '\\# 4 0A000001')

    for (const [args, expected] of [
      [['a..b'], /"a\.\.b" is no domain name/],
      [[`${'a'.repeat(64)}.test`], /is no domain name/],
      [['nas.lan', 'AAAAA'], /"AAAAA" is no type of records/],
    ] as [string[], RegExp][]) {
      const { code, stderr } = await box.cli('dns', 'query', ...args)
      assert.equal(code, 1)
      assert.match(stderr, expected)
      assert.equal(stderr.trimEnd().split('\n').length, 1)
    }
  })

  it('says why it has no answer: no resolver, no daemon, no name', async (t) => {
    const box = await createTestDaemon(t, { config: { dns: { enabled: false } } })
    const off = await box.cli('dns', 'query', 'btlink')
    assert.equal(off.code, 1)
    assert.match(off.stderr, /this box has no resolver: dns\.enabled is false/)
    const { cli } = await stateAtRest(t)
    const none = await cli(['dns', 'query', 'btlink'])
    assert.equal(none.code, 1)
    assert.match(none.stderr, /no btlinkd runs on/)
    const nothing = await cli(['dns', 'query'])
    assert.equal(nothing.code, 2)
    assert.match(nothing.stderr, /dns takes 2 to 3 arguments/)
  })
})
