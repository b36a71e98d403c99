/** C26: programs of a device that has nothing but the addresses of proxy and authority in its environment. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { withoutHouse } from '../support/house.ts'
import { ORDINARY, ORDINARY_TITLE } from '../support/house-internet.ts'
import { untilTheEnd, WELCOME_TITLE, type WholeHouse, wholeHouse } from '../support/house-whole.ts'
import { publish } from '../support/neighbours.ts'
import { missing, output, run } from '../support/processes.ts'
import { tempFolder } from '../support/temp.ts'

const GIT = '/usr/bin/git'
const WGET = '/usr/bin/wget'
const PYTHON = '/usr/bin/python3'
const CURL = '/usr/bin/curl'

const FETCH = `
import sys, urllib.request
for url in sys.argv[1:]:
    print(urllib.request.urlopen(url, timeout=10).read().decode())
`

describe('the programs of a device', { skip: withoutHouse() || missing(GIT, WGET, PYTHON) }, () => {
  const all = untilTheEnd()
  let home: WholeHouse
  let env: NodeJS.ProcessEnv
  let netns: string
  /** Of btlink and of the internet, over http and https. */
  let pages: [url: string, title: string][]
  /** A folder with a bare repository, as any web server gives it out. */
  let repository: string

  before(async () => {
    home = await wholeHouse(all)
    const { house, internet, roots, welcome } = home
    netns = house.laptops[1].netns
    // It asks nobody for names: the proxy does.
    await writeFile(join('/etc/netns', netns, 'resolv.conf'), 'options attempts:1 timeout:1\n')
    const bundle = join(await tempFolder(all, 'authorities'), 'all.pem')
    await writeFile(bundle, (await Promise.all(roots.map((file) => readFile(file)))).join(''))
    const proxy = `http://${house.box.address}:80`
    env = {
      PATH: process.env['PATH'],
      HOME: await tempFolder(all, 'home'),
      http_proxy: proxy,
      https_proxy: proxy,
      SSL_CERT_FILE: bundle,
      GIT_SSL_CAINFO: bundle,
      CURL_CA_BUNDLE: bundle,
    }
    pages = ['http', 'https'].flatMap((scheme) => [
      [`${scheme}://${welcome}/`, WELCOME_TITLE],
      [`${scheme}://${ORDINARY}/`, ORDINARY_TITLE],
    ])
    repository = join(await tempFolder(all, 'repository'), 'one.git')
    const work = join(await tempFolder(all, 'work'), 'one')
    await mkdir(work)
    await writeFile(join(work, 'README'), 'a program\n')
    const who = ['-c', 'user.name=one', '-c', 'user.email=one@example.org']
    const git = async (...args: string[]) => output(GIT, args, { cwd: work })
    await git('init', '-q', '-b', 'main')
    await git('add', '.')
    await git(...who, 'commit', '-q', '-m', 'one')
    await git('clone', '-q', '--bare', work, repository)
    await output(GIT, ['update-server-info'], { cwd: repository })
    await output('/bin/cp', ['-r', repository, internet.folder])
  })

  it('C26 curl gets pages of both worlds', async () => {
    for (const [url, title] of pages) {
      const text = await output(CURL, ['-sS', '-m', '10', url], { netns, env })
      assert.ok(text.includes(title), url)
    }
  })

  it('C26 wget gets pages of both worlds', async () => {
    for (const [url, title] of pages) {
      const args = ['-q', '-T', '10', '-t', '1', '-O', '-']
      const authority = [`--ca-certificate=${env['SSL_CERT_FILE']}`]
      const text = await output(WGET, [...args, ...authority, url], { netns, env })
      assert.ok(text.includes(title), url)
    }
  })

  it('C26 Python gets pages of both worlds', async () => {
    const urls = pages.map(([url]) => url)
    const text = await output(PYTHON, ['-c', FETCH, ...urls], { netns, env })
    const titles = [...text.matchAll(/<title>(.*?)<\/title>/g)].map((match) => match[1])
    assert.deepEqual(
      titles,
      pages.map(([, title]) => title),
    )
  })

  it('C26 git clones from a site and from an ordinary server', async (t) => {
    const { host } = await publish(home.box, repository, 'programs')
    for (const url of ['http', 'https'].flatMap((scheme) => [
      `${scheme}://${host}/`,
      `${scheme}://${ORDINARY}/one.git`,
    ])) {
      const folder = join(await tempFolder(t, 'clone'), 'one')
      const { code, stderr } = await run(GIT, ['clone', '-q', url, folder], { netns, env })
      assert.equal(code, 0, `${url}: ${stderr}`)
      assert.equal(await readFile(join(folder, 'README'), 'utf8'), 'a program\n', url)
    }
  })
})
