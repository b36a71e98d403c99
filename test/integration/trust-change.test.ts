import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { certificatesOf, firstOf } from '../engines/pki/open-pki.ts'
import {
  type BoxRoot,
  boxOfSuite,
  OPENSSL,
  rootFileOf,
  rootOf,
  sClient,
  site,
} from '../support/box-trust.ts'
import { createTestDaemon, type TestDaemon } from '../support/daemon.ts'
import { missing, output } from '../support/processes.ts'
import { finallyDo, tempFolder } from '../support/temp.ts'

describe('the root of a box', { skip: missing(OPENSSL) }, () => {
  it('is one root of its own, that survives a restart and stays out of what is given away (E01)', async (t) => {
    const box = await createTestDaemon(t)
    const other = await createTestDaemon(t)
    const { sha256, pem } = await rootOf(box)
    assert.notEqual((await rootOf(other)).sha256, sha256)
    const pki = join(box.state, 'pki')
    assert.equal((await stat(pki)).mode & 0o777, 0o700)
    const keys = (await readdir(pki, { recursive: true })).filter((name) => name.endsWith('.key'))
    assert.equal(keys.length, 3)
    for (const key of keys) assert.equal((await stat(join(pki, key))).mode & 0o777, 0o600)
    // The root's own key was never written.
    const isRoot = firstOf(pem)
    for (const key of keys) {
      const text = await readFile(join(pki, key), 'utf8')
      assert.match(text, /BEGIN PRIVATE KEY/)
      const { publicKey } = isRoot
      assert.ok(
        !(await output(OPENSSL, ['pkey', '-pubout'], { input: text })).includes(
          publicKey.export({ format: 'pem', type: 'spki' }).toString().split('\n')[1] ?? '-',
        ),
      )
    }
    await box.restart()
    assert.equal((await rootOf(box)).sha256, sha256)
    const served = await box.get('setup.btlink', '/.btlink/rootca.crt')
    assert.equal(served.status, 200)
    assert.equal(
      new X509Certificate(served.body).fingerprint256.replaceAll(':', '').toLowerCase(),
      sha256,
    )
    assert.ok(!box.output().includes('PRIVATE KEY'))
  })
})

describe('a new root on a running box (E18)', { skip: missing(OPENSSL) }, () => {
  const suite = boxOfSuite()

  const hello = async (box: TestDaemon, options: ConnectionOptions): Promise<TLSSocket> => {
    const socket = connect({ host: '127.0.0.1', port: box.port('https'), ...options })
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    return socket
  }

  it('is in the very next handshake, also of who comes back with a ticket', async (t) => {
    const box = suite()
    const before = await rootOf(box)
    const named = { servername: site(1), ca: before.pem }
    const first = await hello(box, named)
    finallyDo(t, () => void first.destroy())
    const [session] = (await once(first, 'session')) as [Buffer]
    const again = await hello(box, { ...named, session })
    assert.ok(again.isSessionReused(), 'tickets are taken while the root stays')
    again.destroy()

    const made = await box.json('ca', 'rotate', '--yes')
    const { pem, sha256 } = made['root'] as BoxRoot
    assert.notEqual(sha256, before.sha256)
    assert.equal((await rootOf(box)).sha256, sha256)

    // Who was connected stays so: it trusted what it saw.
    first.write('HEAD / HTTP/1.1\r\nHost: setup.btlink\r\n\r\n')
    const [answer] = (await once(first, 'data')) as [Buffer]
    assert.match(answer.toString(), /^HTTP\/1\.1 /)

    const back = await hello(box, { ...named, ca: pem, session })
    assert.equal(back.isSessionReused(), false)
    assert.equal(back.authorized, true)
    back.destroy()
    for (const servername of [site(1), site(2), 'setup.btlink']) {
      const old = connect({
        host: '127.0.0.1',
        port: box.port('https'),
        servername,
        ca: before.pem,
      })
      const [error] = (await once(old, 'error')) as [NodeJS.ErrnoException]
      assert.match(error.code ?? '', /UNABLE_TO|SELF_SIGNED/, servername)
    }
    const nameless = await sClient(box, '-noservername')
    assert.ok(certificatesOf(nameless.stdout).length > 0)
    assert.equal((await box.json('ca', 'rotate', '--yes', '--forget'))['forgotten'], 2)
  })

  it('comes from the admin socket alone, not from a port (E18, F01)', async () => {
    const box = suite()
    const before = await rootOf(box)
    const calls: [string, string, object][] = [
      ['POST', '/api/trust/rotate', {}],
      ['POST', '/api/trust/export', { passphrase: 'correct horse battery' }],
      ['POST', '/api/trust/import', { bundle: 'x', passphrase: 'y' }],
      ['POST', '/api/trust/leaf', { hosts: [site(1)] }],
      ['POST', '/api/trust/link-domains', { domains: ['a.example'] }],
      ['DELETE', '/api/trust/link-domains', {}],
    ]
    for (const [method, path, body] of calls) {
      const answer = await box.api(path, {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      assert.equal(answer.status, 403, `${method} ${path}`)
      assert.doesNotMatch(answer.text(), /BEGIN/)
    }
    const shown = await box.api('/api/trust')
    assert.equal(shown.status, 200)
    assert.doesNotMatch(shown.text(), /PRIVATE/)
    assert.equal((await rootOf(box)).sha256, before.sha256)
  })

  it('gives a certificate that the whole house takes, by gencert (F01)', async (t) => {
    const box = suite()
    const folder = await tempFolder(t)
    const file = join(folder, 'server.pem')
    assert.equal((await box.cli('gencert', site(3), '-o', file)).code, 0)
    const rootFile = await rootFileOf(t, box)
    const args = ['verify', '-CAfile', rootFile, '-untrusted', file, '-verify_hostname', site(3)]
    assert.match(await output(OPENSSL, [...args, file]), /: OK/)
  })
})
