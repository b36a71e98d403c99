import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { missing, run } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { env, keysIn, LAUNCH, stateAtRest } from './state-at-rest.ts'

const PYTHON = '/usr/bin/python3'
const PASSPHRASE = 'correct horse battery staple'

describe('btlinkd ca, without a daemon', () => {
  it('shows a root with its fingerprint, made once, its keys for its owner alone (E01)', async (t) => {
    const { state, cli, root } = await stateAtRest(t)
    const { stdout } = await cli(['ca', 'show'])
    const { sha256, pem } = await root()
    assert.equal(new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase(), sha256)
    assert.ok(stdout.includes(new X509Certificate(pem).fingerprint256), stdout)
    assert.match(stdout, /vouches for btlink and what is below, for nothing else/)
    assert.match(stdout, /words {7}([a-z]{4,6} ){9}[a-z]{4,6}\n/)
    assert.match(stdout, /valid {7}2024-01-01 to 20\d\d-/)
    assert.match(stdout, /link domains off/)
    const keys = await keysIn(join(state, 'pki'))
    assert.equal(keys.length, 3)
    for (const key of keys) {
      assert.equal((await stat(join(state, 'pki', key))).mode & 0o777, 0o600, key)
    }
    assert.equal((await stat(join(state, 'pki'))).mode & 0o777, 0o700)
  })

  it('makes no root in a folder that is not there', async (t) => {
    const parent = await tempFolder(t, 'state')
    const typo = join(parent, 'sate')
    const { code, stderr } = await run(process.execPath, [LAUNCH, 'ca', 'show', '--state', typo], {
      env,
    })
    assert.equal(code, 1)
    assert.match(stderr, /no btlinkd runs on .*sate/)
    assert.deepEqual(await readdir(parent), [])
  })

  it('moves a root to another box by a passphrase that no argument holds (E12)', async (t) => {
    const one = await stateAtRest(t)
    const two = await stateAtRest(t)
    const { sha256 } = await one.root()
    const before = await two.root()
    assert.notEqual(before.sha256, sha256)
    const file = join(one.state, 'bundle')
    await one.json(['ca', 'export', '-o', file], `${PASSPHRASE}\n`)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const bundle = await readFile(file, 'utf8')
    assert.match(bundle, /^-----BEGIN BTLINK AUTHORITY-----/)
    const secret = join(two.state, 'secret')

    for (const [given, why] of [
      ['wrong horse battery staple', /the passphrase does not open this export/],
      ['', /no passphrase/],
    ] as const) {
      await writeFile(secret, given)
      const refused = await two.cli(['ca', 'import', file, '--passphrase-file', secret])
      assert.notEqual(refused.code, 0)
      assert.match(refused.stderr, why)
      assert.equal((await two.root()).sha256, before.sha256)
    }
    await writeFile(secret, PASSPHRASE)
    const done = await two.cli(['ca', 'import', file, '--passphrase-file', secret])
    assert.equal(done.code, 0, done.stderr)
    assert.equal((await two.root()).sha256, sha256)
    const { former } = (await two.json(['ca', 'show'])) as { former: { names: unknown[] } }
    assert.equal(former.names.length, 1)

    const weak = await one.cli(['ca', 'export'], 'short\n')
    assert.equal(weak.code, 1)
    assert.match(weak.stderr, /a passphrase has 12 to 1024 characters, this one has 5/)
    assert.equal((await one.cli(['ca', 'export', '--passphrase', PASSPHRASE])).code, 2)
  })

  it('asks for a passphrase at a terminal, twice, and shows neither', {
    skip: missing(PYTHON),
  }, async (t) => {
    const { state, root } = await stateAtRest(t)
    await root()
    const script = `
import os, pty, sys, select
answers = sys.argv[1].split(',')
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b''
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if answers and data.rstrip().endswith(b':'):
        os.write(fd, answers.pop(0).encode() + b'\\r')
status = os.waitpid(pid, 0)[1]
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(status))`
    const at = (answers: string) =>
      run(
        PYTHON,
        ['-c', script, answers, process.execPath, LAUNCH, 'ca', 'export', '--state', state],
        { env },
      )
    const same = await at(`${PASSPHRASE},${PASSPHRASE}`)
    assert.equal(same.code, 0, same.stdout)
    assert.match(same.stdout, /^Passphrase: \s+The same again: \s+-----BEGIN BTLINK AUTHORITY/)
    assert.ok(!same.stdout.includes('horse'), 'what is typed is not shown')
    const other = await at(`${PASSPHRASE},something else`)
    assert.equal(other.code, 2)
    assert.match(other.stdout, /the two passphrases are not the same/)
  })
})
