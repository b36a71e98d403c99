import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { browser, CHROMIUM } from '../support/browser.ts'
import { curl } from '../support/curl.ts'
import { createTestDaemon, writeSite } from '../support/daemon.ts'
import { CERTUTIL, hostilePage, startLanDevice, trustingHome } from '../support/lan-device.ts'
import { publish } from '../support/neighbours.ts'
import { missing } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'

const all = { after: (fn: () => void | Promise<void>) => after(fn) }

describe('a whole box', { skip: missing(CHROMIUM, CERTUTIL, '/usr/bin/curl') }, async () => {
  const box = await createTestDaemon(all, {
    config: { dns: { local_domains: ['rebound.example'] } },
  })
  const folder = await tempFolder(all, 'sites')
  const ca = join(folder, 'ca.pem')
  const root = await curl(`http://127.0.0.1:${box.port('http')}/.btlink/rootca.pem`)
  await writeFile(ca, root.body)
  const door = `http://127.0.0.1:${box.port('http')}`

  async function site(name: string, files: Record<string, string>): Promise<string> {
    await writeSite(join(folder, name), files)
    return (await publish(box, join(folder, name), name)).host
  }

  it('lets no page of a site reach the house in Chromium, by none of five ways, while sites reach each other', async (t) => {
    const device = await startLanDevice(t)
    const neighbour = await site('neighbour', { 'data.txt': 'of a neighbour' })
    const page = hostilePage(device, neighbour)
    const hostile = await site('hostile', { 'index.html': page, 'own.txt': 'own' })
    const switches = [`--proxy-pac-url=${door}/.btlink/proxy.pac`]
    const opened = await browser(t, { switches, env: await trustingHome(t, ca) })
    const tab = await opened.newPage()
    for (const scheme of ['http', 'https']) {
      await tab.goto(`${scheme}://${hostile}/`)
      await tab.waitForFunction('/^(in|out), /.test(document.title)', undefined, {
        timeout: 15_000,
      })
      assert.equal(await tab.title(), 'in, of a neighbour', scheme)
      assert.deepEqual(device.knocks, [], scheme)
    }
  })

  it('shows a rebound name nothing of its own: 421 at the API, no page and no upload at the gateway', async () => {
    const rebound = 'rebound.example'
    const refused = async (port: number, path: string, method: string) => {
      const answer = await curl(`http://127.0.0.1:${port}${path}`, {
        host: `${rebound}:${port}`,
        method,
        ...(method === 'POST' && { more: ['-F', 'file=@/etc/hostname'] }),
      })
      assert.doesNotMatch(answer.text(), /infohash|<form/, path)
      return answer.status
    }
    // The tracker is for everybody, and says nothing of the box.
    for (const path of ['/', '/api/health', '/api/keys', '/api/sites', '/metrics']) {
      assert.equal(await refused(box.port('gateway'), path, 'GET'), 421, path)
    }
    const pages = ['/', '/.btlink/setup', '/.btlink/check', '/.btlink/my', '/.btlink/qr.svg', '/go']
    for (const path of pages) {
      assert.equal(await refused(box.port('http'), path, 'GET'), 404, path)
    }
    assert.equal(await refused(box.port('http'), '/', 'POST'), 404)
  })
})
