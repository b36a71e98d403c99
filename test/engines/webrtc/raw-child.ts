/** One end of a bare node-datachannel data channel, as the room's yardstick; descriptions on stdio. */
import { createInterface } from 'node:readline'
import { type DataChannel, PeerConnection } from 'node-datachannel'

const [role, seconds = '4'] = process.argv.slice(2)
const MESSAGE = Buffer.alloc(64 * 1024, 'x')
const pc = new PeerConnection('raw', { iceServers: [] })
const channels: DataChannel[] = []

pc.onGatheringStateChange((state) => {
  const sdp = state === 'complete' && pc.localDescription()?.sdp
  if (sdp) process.stdout.write(`sdp ${JSON.stringify(sdp)}\n`)
})

function pour(channel: DataChannel): void {
  while (channel.isOpen() && channel.bufferedAmount() < 1024 * 1024) {
    channel.sendMessageBinary(MESSAGE)
  }
}

function measure(channel: DataChannel): void {
  let got = 0
  let before = 0
  channel.onMessage((message) => {
    got += message instanceof ArrayBuffer ? message.byteLength : message.length
    if (before > 0) return
    before = performance.now()
    setTimeout(() => {
      const rate = got / ((performance.now() - before) * 1000)
      process.stdout.write(`rate ${rate}\n`)
    }, Number(seconds) * 1000)
  })
}

if (role === 'source') {
  const channel = pc.createDataChannel('raw')
  channels.push(channel)
  channel.setBufferedAmountLowThreshold(256 * 1024)
  channel.onBufferedAmountLow(() => pour(channel))
  channel.onOpen(() => pour(channel))
}
pc.onDataChannel((channel) => {
  channels.push(channel)
  measure(channel)
})
createInterface({ input: process.stdin })
  .on('line', (line) => {
    pc.setRemoteDescription(JSON.parse(line) as string, role === 'source' ? 'answer' : 'offer')
  })
  .once('close', () => process.exit(0))
