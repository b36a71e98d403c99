import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Acme } from '../../../src/engines/acme/index.ts'
import { curl } from '../../support/curl.ts'
import { startPebble, withoutPebble } from '../../support/pebble.ts'
import { missing, run } from '../../support/processes.ts'
import { type Cleanup, tempFolder } from '../../support/temp.ts'
import { type House, startHouse } from '../../edges/proxy/fixture.ts'
import { openAcme, SITE } from './open-acme.ts'

const OPENSSL = '/usr/bin/openssl'
const HOSTS = ['gw.example', 'linked.example']

interface PublicHouse extends House {
  acme: Acme
  /** PEM file of Pebble's root. */
  root: string
}

/** A proxy that takes the authority's certificates where there are some, and the household's elsewhere. */
async function openHouse(t: Cleanup): Promise<PublicHouse> {
  const parts: { acme?: Acme; house?: House } = {}
  const house = await startHouse(t, {
    deps: {
      isServed: () => true,
      serve(req, res) {
        if (!parts.acme?.answer(req, res)) res.end(`the gateway, for ${req.headers.host ?? ''}`)
      },
      leaf: async (host, signal) => {
        const leaf = parts.acme?.leaf(host) ?? parts.house?.pki.leaf(host, signal)
        if (leaf === undefined) throw new Error('too early')
        return leaf
      },
    },
  })
  parts.house = house
  const { directory, ca, root } = await startPebble(t, { httpPort: house.proxy.httpPort })
  const opened = await openAcme(t, {
    asleep: true,
    directory,
    authority_ca: ca,
    hosts: HOSTS,
    content_names: true,
  })
  parts.acme = opened.acme
  const file = join(await tempFolder(t, 'root'), 'root.pem')
  await writeFile(file, await root())
  return { ...house, acme: opened.acme, root: file }
}

const sClient = (port: number, host: string, ca: string) => {
  const where = ['-connect', `127.0.0.1:${port}`, '-servername', host]
  const judge = ['-verify_hostname', host, '-verify_return_error', '-brief', '-CAfile', ca]
  return run(OPENSSL, ['s_client', ...where, ...judge])
}

const skip = withoutPebble() || missing('/usr/bin/curl', OPENSSL)

describe('a gateway with certificates of an authority', { skip }, () => {
  it('shows them once they are there, and the household its own until then', async (t) => {
    const { acme, proxy, ca, root } = await openHouse(t)
    const port = proxy.httpsPort
    const refused = await sClient(port, 'gw.example', root)
    assert.match(refused.stderr, /unrecognized name/)
    const household = await sClient(port, 'linked.example', ca)
    assert.equal(household.code, 0, household.stderr)

    await acme.start(new AbortController().signal)
    await acme.renewDue()
    for (const host of HOSTS) {
      const { code, stderr } = await sClient(port, host, root)
      assert.equal(code, 0, stderr)
      const more = ['--cacert', root, '--resolve', `${host}:${port}:127.0.0.1`]
      const answer = await curl(`https://${host}:${port}/`, { more })
      assert.equal(answer.text(), `the gateway, for ${host}:${port}`)
    }
    // What only the box knows is still its own to vouch for.
    const site = SITE.replace('.gw.example', '')
    const inside = await sClient(port, site, ca)
    assert.equal(inside.code, 0, inside.stderr)
    const foreign = await sClient(port, 'bank.example', root)
    assert.match(foreign.stderr, /unrecognized name/)
  })

  it('gets one for a site on the first handshake that asks for it', async (t) => {
    const { acme, proxy, root } = await openHouse(t)
    await acme.start(new AbortController().signal)
    await acme.renewDue()
    const port = proxy.httpsPort
    assert.match((await sClient(port, SITE, root)).stderr, /unrecognized name/)
    await acme.renewDue()
    const { code, stderr } = await sClient(port, SITE, root)
    assert.equal(code, 0, stderr)
  })
})
