import assert from 'node:assert/strict'
import { it } from 'node:test'
import { household, withoutNetns } from '../../support/household.ts'
import { output } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'

const FAR = '45.33.32.1'
const NEAR = '192.168.7.1'

/** A channel on the internet that sends elsewhere: what comes of it, and who was asked. */
const CHANNEL = `
import { createServer } from 'node:http'
import { once } from 'node:events'
import { channelSource } from '${ROOT}/src/services/update/index.ts'
import { readSmall } from '${ROOT}/src/services/update/source.ts'
const asked = []
async function serve(address, answer) {
  const server = createServer((request, response) => {
    asked.push(address)
    answer(request, response)
  })
  server.listen(0, address)
  await once(server, 'listening')
  return server.address().port
}
const file = (request, response) => response.end('file')
const near = await serve('${NEAR}', file)
const own = await serve('127.0.0.1', file)
const mirror = await serve('${FAR}', file)
const targets = {
  near: 'http://${NEAR}:' + near + '/reboot',
  own: 'http://127.0.0.1:' + own + '/',
  name: 'http://localhost:' + own + '/',
  wrapped: 'http://[::ffff:127.0.0.1]:' + own + '/',
  odd: 'http://',
  mirror: 'http://${FAR}:' + mirror + '/file',
}
const endless = (response) => {
  const timer = setInterval(() => response.write('x'), 20)
  response.once('close', () => clearInterval(timer))
}
const told = {}
for (const [name, location] of Object.entries(targets)) {
  const port = await serve('${FAR}', (request, response) => {
    response.writeHead(302, { location })
    endless(response)
  })
  asked.length = 0
  const source = channelSource('http://${FAR}:' + port, { silenceMs: 5000 })
  try {
    const bytes = await readSmall(source, 'release.json', 100, AbortSignal.timeout(10000))
    told[name] = [Buffer.from(bytes).toString(), ...asked.slice(1)]
  } catch (error) {
    told[name] = [error.code, ...asked.slice(1)]
  }
}
console.log(JSON.stringify(told))
process.exit()
`

it('a channel on the internet sends to other servers there, and to none of the house', {
  skip: withoutNetns(),
}, async (t) => {
  const [box] = await household(t, 'box')
  assert.ok(box)
  for (const address of [FAR, NEAR]) {
    await output('/usr/sbin/ip', ['-n', box.netns, 'addr', 'add', `${address}/32`, 'dev', 'lo'])
  }
  const args = ['--input-type=module', '-e', CHANNEL]
  const told = await output(process.execPath, args, { netns: box.netns })
  const refused = ['BTL_ERR_UPDATE_UNREACHABLE']
  assert.deepEqual(JSON.parse(told), {
    near: refused,
    own: refused,
    name: refused,
    wrapped: refused,
    odd: refused,
    mirror: ['file', FAR],
  })
})
