/**
 * The room in a process of its own, for other networks and for benches. Orders and answers are JSON
 * lines; what channels do is the first argument: `echo`, `sink`, or `source` (endless bytes).
 */
import { createInterface } from 'node:readline'
import { systemClock } from '../../../src/base/ports/clock.ts'
import { infoHash } from '../../../src/base/hashes.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import { createWebRtc } from '../../../src/engines/webrtc/index.ts'
import { codeOf, messageOf } from '../../../src/base/errors.ts'
import { createMdns } from '../../../src/engines/webrtc/mdns.ts'
import { webRtcConfig } from './config.ts'

export interface Command {
  id: number
  do: 'answer' | 'offer' | 'accept' | 'stats' | 'resolve' | 'stop'
  sdp?: string
  offerId?: string
  name?: string
}

const [mode = 'echo', runDir = '.'] = process.argv.slice(2)
const HASH = infoHash('11'.repeat(20))
const PEER = 'cc'.repeat(20)
const CHUNK = Buffer.alloc(256 * 1024, 'x')
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

const noSystem = async () => undefined
const mdns = createMdns({ log: silentLog, clock: systemClock }, { system: noSystem })
const room = createWebRtc({ log: silentLog, clock: systemClock, runDir }, webRtcConfig)
room.onChannel(({ stream, peerId, address }) => {
  say({ channel: 'open', peerId, host: address?.host ?? '' })
  stream.on('error', () => undefined)
  stream.once('close', () => say({ channel: 'closed' }))
  if (mode === 'echo') stream.pipe(stream)
  if (mode === 'sink') stream.resume()
  if (mode === 'source') {
    stream.resume()
    const pour = () => {
      while (!stream.destroyed && stream.write(CHUNK));
    }
    stream.on('drain', pour)
    pour()
  }
})

async function obey(command: Command): Promise<object> {
  const { sdp = '', offerId = '', name = '' } = command
  switch (command.do) {
    case 'answer':
      return { sdp: await room.answer(HASH, { sdp, peerId: PEER }) }
    case 'offer':
      return { offers: await room.offer(HASH, 1) }
    case 'accept':
      await room.accept(offerId, { sdp, peerId: PEER })
      return {}
    case 'resolve':
      return { address: await mdns.resolve(name) }
    case 'stats':
      return { stats: room.stats() }
    case 'stop':
      await room.stop()
      return {}
    default:
      return {}
  }
}

await room.start(new AbortController().signal)
say({ ready: true })
const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const command = JSON.parse(line) as Command
  obey(command).then(
    (result) => say({ id: command.id, ...result }),
    (error: unknown) => say({ id: command.id, code: codeOf(error), message: messageOf(error) }),
  )
})
lines.once('close', () => {
  mdns.stop()
  void room.stop()
})
