/** A box that its owner opened to the world ("exposed host"), and what the world gets of it. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { type Answer, curl } from '../support/curl.ts'
import { DIG } from '../support/dns-servers.ts'
import { INTERNET, TCPDUMP, WAN, withoutHouse } from '../support/house.ts'
import { ORDINARY } from '../support/house-internet.ts'
import { untilTheEnd, WELCOME_TITLE, type WholeHouse, wholeHouse } from '../support/house-whole.ts'
import { missing, run, start } from '../support/processes.ts'
import { until } from '../support/until.ts'

const PROXY = ['-x', `http://${WAN}:80`, '--suppress-connect-headers']

describe('a box as the exposed host of its router', {
  skip: withoutHouse() || missing(DIG),
}, () => {
  const all = untilTheEnd()
  let home: WholeHouse
  /** From the internet, to the router's own address. */
  const get = async (url: string, ...more: string[]): Promise<Answer> =>
    curl(url, { netns: home.house.internet.netns, maxSeconds: 5, more })
  const refused = (answer: Answer, status: number, code: string) => {
    assert.equal(answer.status, status, answer.text())
    assert.equal((answer.json() as { code: string }).code, code)
  }

  before(async () => {
    home = await wholeHouse(all)
  })

  it('R14 gives strangers no byte of DNS, over UDP or TCP', async (t) => {
    const { box, internet, laptops } = home.house
    const filter = `port 53 and host ${INTERNET.gateway}`
    const args = ['-i', 'eth0', '-nn', '-l', '--immediate-mode', filter]
    const witness = start(t, TCPDUMP, args, { netns: box.netns })
    await until('tcpdump to listen', () => witness.output().includes('listening on'))
    const names = ['btlink', home.welcome, ORDINARY]
    for (const transport of ['+notcp', '+tcp']) {
      for (const name of names) {
        const options = ['+tries=1', '+time=1', transport, name, 'A']
        const { stdout } = await run(DIG, [`@${WAN}`, ...options], { netns: internet.netns })
        assert.doesNotMatch(stdout, /status:/, stdout)
      }
    }
    const seen = () => witness.output().split('\n')
    const questions = () => seen().filter((line) => line.includes(` > ${box.address}.53: `))
    await until('all questions', () =>
      names.every((name) => {
        const parts = questions().filter((line) => line.includes(`A? ${name}. `))
        return parts.length >= 2
      }),
    )
    const answers = seen().filter((line) => line.includes(`IP ${box.address}.53 > `))
    // TCP is opened by the kernel, and closed before anything is said.
    assert.deepEqual(
      answers.filter((line) => !/ Flags \[.*\], .*length 0$/.test(line)),
      [],
    )
    const { stdout } = await run(DIG, ['+short', ORDINARY, 'A'], { netns: laptops[0].netns })
    assert.equal(stdout.trim(), INTERNET.web)
  })

  it('R27 leads strangers to its own sites, and to no other', async () => {
    for (const url of [`http://${home.welcome}/`, `https://${home.welcome}/`]) {
      const answer = await get(url, ...PROXY, '--insecure')
      assert.ok(answer.text().includes(WELCOME_TITLE), url)
    }
    const foreign = 'BTL_ERR_PROXY_FOREIGN_CLIENT'
    for (const host of [
      ORDINARY,
      `${ORDINARY}:9877`,
      home.house.router.address,
      '127.0.0.1:9877',
    ]) {
      refused(await get(`http://${host}/`, ...PROXY), 403, foreign)
    }
    // Inside a tunnel: curl does not get to see why, but that it was the proxy.
    for (const host of [ORDINARY, home.house.router.address]) {
      await assert.rejects(get(`https://${host}/`, ...PROXY), /CONNECT tunnel failed, response 403/)
    }
  })

  it('R27 takes no upload and no order from strangers', async () => {
    const upload = await get(`http://${WAN}/`, '-F', 'file=@/etc/hostname')
    refused(upload, 403, 'BTL_ERR_GATEWAY_UPLOAD_REFUSED')
    refused(await get(`http://${WAN}:9877/api/sites`), 421, 'BTL_ERR_API_WRONG_HOST')
    // Knowing what the box is called in the house does not help.
    const spoofed = ['-H', `Host: ${home.house.box.address}:9877`]
    for (const path of ['/api/sites', '/api/keys', '/api/health', '/metrics']) {
      const answer = await get(`http://${WAN}:9877${path}`, ...spoofed)
      refused(answer, 403, 'BTL_ERR_API_NOT_ALLOWED')
    }
  })
})
