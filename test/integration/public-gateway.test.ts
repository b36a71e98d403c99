import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { curl } from '../support/curl.ts'
import { createTestDaemon } from '../support/daemon.ts'
import { freePort } from '../support/free-port.ts'
import { startPebble, withoutPebble } from '../support/pebble.ts'
import { missing } from '../support/processes.ts'
import { read } from '../support/sources.ts'
import { type Cleanup, tempFolder } from '../support/temp.ts'
import { until } from '../support/until.ts'

const LINKED = 'site.example.net'

type Sections = Record<string, Record<string, unknown>>

/** The configuration that the manual shows. */
function shown(): Sections {
  const [, block = ''] = /```yaml\n([\s\S]*?)```/.exec(read('docs/public-gateway.md')) ?? []
  return parse(block) as Sections
}

const skip = withoutPebble() || missing('/usr/bin/curl')

/** A state folder with the welcome site in it, and its host. */
async function withSite(t: Cleanup): Promise<{ state: string; site: string }> {
  const box = await createTestDaemon(t)
  const site = await until('a site', () => /[0-9a-z]{40,}-pk\.btlink/.exec(box.output())?.[0])
  await box.stop()
  return { state: box.state, site }
}

describe('a public gateway as the manual has it', { skip }, () => {
  it('gets certificates for itself and a linked domain, and keeps them over a restart', async (t) => {
    const [httpPort, httpsPort] = [await freePort(), await freePort()]
    const pebble = await startPebble(t, { httpPort })
    const config = shown()
    const { state, site } = await withSite(t)
    const hosts = [...((config['acme']?.['hosts'] ?? []) as string[]), LINKED]
    const box = await createTestDaemon(t, {
      state,
      config: {
        ...config,
        dns: { link_records: [`${LINKED}=${site}`] },
        proxy: { http_port: httpPort, https_port: httpsPort },
        acme: { ...config['acme'], hosts, directory: pebble.directory, authority_ca: pebble.ca },
      },
    })
    const root = join(await tempFolder(t), 'root.pem')
    await writeFile(root, await pebble.root())
    const ask = async (host: string) => {
      const more = ['--cacert', root, '--resolve', `${host}:${httpsPort}:127.0.0.1`]
      return curl(`https://${host}:${httpsPort}/`, { more })
    }
    const certified = (host: string) =>
      until(`the certificate for ${host}`, () => ask(host), { timeoutMs: 60_000, everyMs: 250 })
    const first = await certified('gw.example.org')
    assert.equal(first.status, 200)
    assert.equal((await ask('btlink.gw.example.org')).status, 200)
    const linked = await certified(LINKED)
    assert.equal(linked.status, 200)
    assert.equal(linked.text(), (await box.get(site)).text())
    await assert.rejects(ask('www.gw.example.org'), /alert|unrecognized/)
    // What the path holds at other times is the site's.
    const path = '/.well-known/acme-challenge/some-token'
    assert.equal((await box.get('gw.example.org', path)).status, 404)

    const health = (await box.json('status'))['health'] as { components: Sections } | undefined
    assert.equal(health?.components['acme']?.['score'], 100, JSON.stringify(health))

    await pebble.stop()
    await box.restart()
    assert.equal((await ask('gw.example.org')).status, 200)
    assert.equal((await ask(LINKED)).text(), linked.text())
  })
})
