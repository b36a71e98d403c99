/**
 * A process of its own for the native WebRTC code: started by the room when somebody needs it, ended
 * when nobody does. It takes orders over IPC and carries each data channel over a Unix socket.
 */
import { type Connections, createConnections } from './connections.ts'
import { asOrder, type Report } from './messages.ts'

// Closing takes a few milliseconds: the far sides are told.
const GOODBYE_MS = 150

let connections: Connections | undefined

const report = (message: Report): void => {
  if (process.connected) process.send?.(message)
}

/**
 * Not `process.exit`: that waits for threads to end, and once it waited for ever, without a parent to
 * kill it. There is nothing here to be written or released.
 */
const vanish = (): boolean => process.kill(process.pid, 'SIGKILL')

function end(): void {
  connections?.closeAll()
  setTimeout(vanish, GOODBYE_MS)
}

process.on('message', (message) => {
  const order = asOrder(message)
  if (!order) return
  if (order.do === 'setup') {
    connections ??= createConnections(order, report)
    report({ say: 'ready' })
  } else if (order.do === 'end') {
    end()
  } else {
    connections?.obey(order)
  }
})
// The room is gone, and nobody else could end this process.
process.on('disconnect', vanish)
// Ctrl-C in a terminal reaches the whole family; the room says when it is time.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', end)
// It may have gone while this was loaded.
if (!process.connected) vanish()
