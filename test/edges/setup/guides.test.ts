/** What the guides say, done: the lines for routers read by those who will, the example site visited. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { curl } from '../../support/curl.ts'
import { missing, run, start } from '../../support/processes.ts'
import { read, ROOT } from '../../support/sources.ts'
import { tempFolder } from '../../support/temp.ts'
import { startHouse } from '../proxy/fixture.ts'
import { fetchPage, startDoor } from './door.ts'

const DNSMASQ = '/usr/sbin/dnsmasq'
const all = { after: (fn: () => void | Promise<void>) => after(fn) }
const door = await startDoor(all)
// As somebody sees it whose box listens at port 80.
const page = (await fetchPage(`${door.url}/.btlink/setup`, { host: '192.168.1.5' })).text
const manual = read('docs/devices.md')

const plain = (markup: string): string =>
  markup
    .replaceAll(/<[^>]+>/g, '')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&gt;', '>')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')

/** The lines of a router's part of the page, each block of them. */
function blocks(id: string): string[] {
  const part = new RegExp(`<details id="${id}">[\\s\\S]*?</details>`).exec(page)?.[0] ?? ''
  return [...part.matchAll(/<pre><code>([\s\S]*?)<\/code>/g)].map(([, text]) => plain(text ?? ''))
}

describe('the guide', () => {
  it('has the same devices and routers on the page and in the manual', () => {
    const titles = [...page.matchAll(/<summary>([^<]+)<\/summary>/g)].map(([, title]) =>
      plain(title ?? ''),
    )
    assert.ok(titles.length >= 18, titles.join())
    const missingOnes = titles.filter((title) => !manual.includes(`**${title}`))
    assert.deepEqual(missingOnes, [])
  })

  it('has the same lines for routers on the page and in the manual', () => {
    for (const id of ['openwrt', 'dnsmasq', 'isc-dhcp', 'kea', 'mikrotik']) {
      const [first] = blocks(id)
      assert.ok(first !== undefined && manual.includes(`\n${first}\n\`\`\``), `${id}: ${first}`)
      assert.match(first, /http:\/\/192\.168\.1\.5\/wpad\.dat/)
    }
  })

  it('R12 writes lines that dnsmasq takes', { skip: missing(DNSMASQ) }, async (t) => {
    const file = join(await tempFolder(t), 'dnsmasq.conf')
    await writeFile(
      file,
      `${blocks('dnsmasq').join('\n')}\ndhcp-range=192.168.1.100,192.168.1.200\n`,
    )
    const { code, stderr } = await run(DNSMASQ, ['--test', `--conf-file=${file}`])
    assert.equal(code, 0, stderr)
  })

  it('R12 writes options for Kea that are JSON', () => {
    const [text = ''] = blocks('kea')
    const options = JSON.parse(`{${text}}`) as { 'option-def': { code: number }[] }
    assert.equal(options['option-def'][0]?.code, 252)
  })

  it('writes commands that a shell takes', async () => {
    for (const id of ['linux', 'programs', 'openwrt', 'macos']) {
      for (const text of blocks(id)) {
        const { code, stderr } = await run('bash', ['-n'], { input: text })
        assert.equal(code, 0, `${id}: ${stderr}`)
      }
    }
  })

  it('C10 has a site that names btlink hosts to those who come through the proxy', async (t) => {
    const house = await startHouse(t)
    house.names.set('site.example', ['127.0.0.1'])
    const site = start(t, process.execPath, [
      join(ROOT, 'docs/examples/btlink-aware-site.mjs'),
      '0',
    ])
    const port = new URL(await site.line((line) => line.startsWith('http'))).port
    const ordinary = await curl(`http://127.0.0.1:${port}/`)
    assert.match(
      ordinary.text(),
      /src="https:\/\/[0-9a-f]{40}-ih\.btlink\.gw\.example\/film\.webm"/,
    )
    const url = `http://site.example:${port}/`
    // Whatever the visitor says of it.
    for (const more of [[], ['-H', 'Btlink: 0'], ['-H', 'btlink: nonsense']]) {
      const proxied = await curl(url, { more: ['-x', house.url, ...more] })
      assert.match(proxied.text(), /src="http:\/\/[0-9a-f]{40}-ih\.btlink\/film\.webm"/)
      assert.equal(proxied.headers['vary'], 'Btlink')
    }
  })

  it('D18 opens a magnet link that was pasted on the root page', async () => {
    const { infoHash } = await door.add({ 'index.html': 'found' })
    const to = encodeURIComponent(`magnet:?xt=urn:btih:${infoHash}&dn=x`)
    const { status, headers } = await curl(`http://btlink/go?to=${to}`, { more: ['-x', door.url] })
    assert.equal(status, 303)
    const location = headers['location'] ?? ''
    assert.equal(location, `http://${infoHash}-ih.btlink/`)
    assert.equal((await curl(location, { more: ['-x', door.url] })).text(), 'found')
  })
})
