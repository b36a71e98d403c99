/** libexec/dns-front before unbound, on folders in place of the data partition, and unbound on what it leaves. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { freePort } from '../support/free-port.ts'
import { missing, run } from '../support/processes.ts'
import { read, ROOT } from '../support/sources.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'

const SCRIPT = join(ROOT, 'image/mkosi/mkosi.extra/usr/libexec/btlinkd/dns-front')
const UNIT = 'image/mkosi/mkosi.extra/usr/lib/systemd/system/btlinkd-dns-front.service'
const UNBOUND = '/usr/sbin/unbound'
// The root's key of 2017, as https://data.iana.org/root-anchors/ has it.
const ANCHOR =
  '. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n'

async function box(t: Cleanup) {
  const folder = await tempFolder(t)
  const at = (path: string) => join(folder, path)
  await mkdir(at('front'))
  await mkdir(at('unbound'))
  await writeFile(at('made.conf'), 'server:\n')
  return {
    at,
    put: (path: string, text: string) => writeFile(at(path), text),
    read: (path: string) => readFile(at(path), 'utf8'),
    ready: async (): Promise<void> => {
      const args = [SCRIPT, 'ready', at('front'), at('made.conf'), at('unbound/root.key')]
      const { code, stderr } = await run('/bin/sh', args)
      assert.equal(code, 0, stderr)
    },
    /** What unbound says before it ends over the file with the root's key. */
    unboundSays: async (): Promise<string> => {
      const lines = ['server:', '  use-syslog: no', '  chroot: ""', '  username: ""']
      lines.push(`  directory: "${folder}"`, `  pidfile: "${at('pid')}"`, '  do-daemonize: no')
      lines.push(`  interface: 127.0.0.1@${await freePort()}`)
      lines.push(`  auto-trust-anchor-file: "${at('unbound/root.key')}"`)
      await writeFile(at('u.conf'), `${lines.join('\n')}\nremote-control:\n  control-enable: no\n`)
      return (await run(UNBOUND, ['-d', '-c', at('u.conf')])).stderr
    },
  }
}

describe("what unbound finds at the box's start (R21)", () => {
  it('is what came with the image, until the box has a configuration of its own', async (t) => {
    const { ready, put, read: text } = await box(t)
    await ready()
    assert.equal(await text('front/unbound.conf'), 'server:\n')
    await put('front/unbound.conf', 'server: # its own\n')
    await ready()
    assert.equal(await text('front/unbound.conf'), 'server: # its own\n')
    // As a power cut leaves it.
    await put('front/unbound.conf', '')
    await ready()
    assert.equal(await text('front/unbound.conf'), 'server:\n')
  })

  it("is no empty key of the root: Debian's helper makes it anew where there is none", async (t) => {
    const { ready, put, at } = await box(t)
    await put('unbound/root.key', '')
    await ready()
    assert.equal(existsSync(at('unbound/root.key')), false)
    await put('unbound/root.key', ANCHOR)
    await ready()
    assert.equal(await readFile(at('unbound/root.key'), 'utf8'), ANCHOR)
    assert.match(read(UNIT), /^ReadWritePaths=.* -\/var\/lib\/unbound$/m)
  })

  it('would not do with an empty key of the root', { skip: missing(UNBOUND) }, async (t) => {
    const { put, unboundSays } = await box(t)
    await put('unbound/root.key', '')
    assert.match(await unboundSays(), /error reading auto-trust-anchor-file/)
  })
})
