import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { browser, CHROMIUM } from '../../support/browser.ts'
import { missing } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { hostOfTorrent, startGateway } from './fixture.ts'

const cleanup = { after: (fn: () => void | Promise<void>) => after(fn) }

describe('in Chromium', { skip: missing(CHROMIUM) }, async () => {
  const fixture = await startGateway(cleanup)
  const chromium = await browser(cleanup)
  const root = `http://btlink.localhost:${fixture.port}/`
  const siteOf = (infoHash: string, path = '/') =>
    `http://${hostOfTorrent(infoHash)}:${fixture.port}${path}`

  it('files chosen on the root page become a site', async () => {
    const page = await chromium.newPage()
    await page.goto(root)
    await page.fill('input[name=name]', 'from a browser')
    const [first] = await page.locator('input[type=file]').all()
    await first?.setInputFiles([
      { name: 'index.html', mimeType: 'text/html', buffer: Buffer.from('<h1>uploaded</h1>') },
      { name: 'ü <b>.txt', mimeType: 'text/plain', buffer: Buffer.from('second') },
    ])
    await page.getByRole('button', { name: 'Upload' }).click()
    await page.waitForSelector('#view')
    assert.equal(fixture.uploads.at(-1)?.name, 'from a browser')
    await page.click('#view')
    await page.waitForSelector('h1')
    assert.equal(await page.textContent('h1'), 'uploaded')
    assert.match(page.url(), /^http:\/\/[0-9a-f]{40}-ih\.btlink\.localhost:\d+\/$/)
    await page.close()
  })

  it('a chosen folder keeps its paths, without its own name', async (t) => {
    const folder = join(await tempFolder(t), 'my site')
    await mkdir(join(folder, 'css'), { recursive: true })
    await writeFile(join(folder, 'index.html'), 'home')
    await writeFile(join(folder, 'css', 'a.css'), 'b{}')
    const page = await chromium.newPage()
    await page.goto(root)
    await page.setInputFiles('input[webkitdirectory]', folder)
    await page.getByRole('button', { name: 'Upload' }).click()
    await page.waitForSelector('#infohash')
    const paths = fixture.uploads.at(-1)?.files.map(({ path }) => path.join('/'))
    assert.deepEqual(paths?.toSorted(), ['css/a.css', 'index.html'])
    await page.close()
  })

  it('a name typed into the box opens its site', async () => {
    const { infoHash } = await fixture.add({ 'index.html': '<h1>opened</h1>' }, { name: 'typed' })
    const page = await chromium.newPage()
    await page.goto(root)
    await page.fill('input[name=to]', `magnet:?xt=urn:btih:${infoHash}`)
    await page.press('input[name=to]', 'Enter')
    await page.waitForURL(siteOf(infoHash))
    assert.equal(await page.textContent('h1'), 'opened')
    await page.close()
  })

  it('every name in a listing can be clicked', async () => {
    const names = ['<script>alert(1).txt', 'a:b.txt', 'q?x#y.txt', '100%.txt', 'ü & "c".txt']
    const files = Object.fromEntries(names.map((name) => [name, `text of ${name}`]))
    const { infoHash } = await fixture.add(files, { name: 'clicks' })
    const page = await chromium.newPage()
    const dialogs: string[] = []
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message())
      void dialog.dismiss()
    })
    for (const name of names) {
      await page.goto(siteOf(infoHash))
      await page.getByRole('link', { name, exact: true }).click()
      await page.waitForLoadState()
      assert.equal(await page.textContent('body'), `text of ${name}`)
    }
    assert.deepEqual(dialogs, [])
    await page.close()
  })

  it('two torrents are two origins, and may read each other openly', async () => {
    const one = await fixture.add({ 'index.html': 'one', 'data.json': '{"a":1}' }, { name: 'one' })
    const two = await fixture.add({ 'index.html': 'two' }, { name: 'two' })
    const page = await chromium.newPage()
    await page.goto(siteOf(one.infoHash))
    await page.evaluate("localStorage.setItem('secret', 'x')")
    await page.goto(siteOf(two.infoHash))
    assert.equal(await page.evaluate("localStorage.getItem('secret')"), null)
    const url = JSON.stringify(siteOf(one.infoHash, '/data.json'))
    const read = `fetch(${url}, { headers: { range: 'bytes=0-3' } }).then(async (r) =>
      [r.status, r.headers.get('content-range'), r.headers.get('x-btlink-infohash'), await r.text()])`
    assert.deepEqual(await page.evaluate(read), [206, 'bytes 0-3/7', one.infoHash, '{"a"'])
    await page.close()
  })

  it('a page of a site cannot upload in the name of the house', async () => {
    const { infoHash } = await fixture.add({ 'index.html': 'evil' }, { name: 'evil' })
    const before = fixture.uploads.length
    const page = await chromium.newPage()
    await page.goto(siteOf(infoHash))
    const script = `(() => { const form = new FormData(); form.append('files', new File(['x'], 'x.txt'));
      return fetch(${JSON.stringify(root)}, { method: 'POST', body: form, mode: 'no-cors' }).then(() => true) })()`
    assert.equal(await page.evaluate(script), true)
    assert.equal(fixture.uploads.length, before)
    await page.close()
  })
})
