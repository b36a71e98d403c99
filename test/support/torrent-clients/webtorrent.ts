/** WebTorrent in a Node of its own: TCP and WebRTC peers, HTTP, UDP and WebSocket trackers. */
import { fileURLToPath } from 'node:url'
import { start } from '../processes.ts'
import { ended, freePort, type StartClient } from './client.ts'

const CHILD = fileURLToPath(new URL('webtorrent-child.ts', import.meta.url))

export const startWebtorrent: StartClient = async (t, { torrents, folder, netns, address }) => {
  const port = await freePort(address, netns)
  const child = start(t, process.execPath, [CHILD, String(port), folder, ...torrents], { netns })
  await child.line((line) => line.startsWith('added '))
  return {
    port,
    async done(timeoutMs = 60_000) {
      const complete = new Set<string>()
      await child.line((line) => {
        if (line.startsWith('done ')) complete.add(line)
        return complete.size === torrents.length
      }, timeoutMs)
    },
    async stop() {
      // It ends by itself once its trackers know.
      child.child.stdin?.end()
      await ended(child)
    },
  }
}
