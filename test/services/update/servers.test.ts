/** Servers that mean no good, or are asked with a secret. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { Unreachable } from '../../../src/services/update/errors.ts'
import { openRelease } from '../../../src/services/update/open-release.ts'
import type { ReleaseSource } from '../../../src/services/update/source.ts'
import { folderSource } from '../../../src/services/update/source-file.ts'
import { channelSource } from '../../../src/services/update/source-web.ts'
import { missing } from '../../support/processes.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'
import { releasedBox } from './box.ts'

const signal = new AbortController().signal
const web = { silenceMs: 5000 }

const box = (t: Cleanup) => releasedBox(t, { rootBytes: 300_000 })

describe('R19 updates from servers', { skip: missing('/usr/bin/minisign') }, () => {
  it('are left for later where a server gives a byte an answer: each is a write to the card', async (t) => {
    const one = await box(t)
    const whole = folderSource(one.release)
    let answers = 0
    const source: ReleaseSource = {
      where: 'a mean server',
      kind: 'channel',
      async open(name, offset, by) {
        const { body } = await whole.open(name, offset, by)
        if (!name.includes('.root.')) return { offset, body }
        answers++
        async function* first(): AsyncGenerator<Uint8Array> {
          for await (const chunk of body) {
            yield chunk.subarray(0, 1)
            throw new Unreachable('a mean server', 'ECONNRESET')
          }
        }
        return { offset, body: first() }
      },
    }
    const enough = AbortSignal.timeout(25_000)
    await assert.rejects(one.updater.fetch([source], {}, enough), {
      code: 'BTL_ERR_UPDATE_UNREACHABLE',
    })
    assert.equal(answers, 5)
  })

  it('are not waited for where a server gives a byte now and then', async (t) => {
    const one = await box(t)
    const slow = createServer((_request, response) => {
      const drip = setInterval(() => response.write('a'), 20)
      response.on('close', () => clearInterval(drip))
    })
    await new Promise<void>((done) => slow.listen(0, '127.0.0.1', done))
    finallyDo(t, () => {
      slow.closeAllConnections()
      slow.close()
    })
    const { port } = slow.address() as AddressInfo
    const source = channelSource(`http://127.0.0.1:${port}/`, web)
    await assert.rejects(openRelease(source, one.vendor.key, signal, 300), {
      code: 'BTL_ERR_UPDATE_UNREACHABLE',
      message: /too slow/,
    })
  })

  it('are asked for with the password of a channel, which no report holds', async (t) => {
    const one = await box(t)
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
      asked.push(request.headers.authorization)
      response.writeHead(401).end()
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    finallyDo(t, () => void server.close())
    const { port } = server.address() as AddressInfo
    const source = channelSource(`http://anna:open%20sesame@127.0.0.1:${port}/pc`, web)
    const [report] = await one.updater.check([source], signal)
    assert.equal(asked[0], `Basic ${Buffer.from('anna:open sesame').toString('base64')}`)
    assert.equal(report?.where, `http://127.0.0.1:${port}/pc`)
    assert.doesNotMatch(JSON.stringify(report), /anna|sesame/)
    assert.throws(
      () => channelSource('http://anna:sesame@:x/', web),
      (error: Error) => {
        assert.doesNotMatch(error.message, /sesame/)
        return true
      },
    )
  })
})
