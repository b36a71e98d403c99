/**
 * A process of its own for the native WebRTC code: started by the room when somebody needs it, ended
 * when nobody does. It takes orders over IPC and carries each data channel over a Unix socket.
 */
import { type Connections, createConnections } from './connections.ts'
import { asOrder, type Report } from './messages.ts'

// From 0.33 on closing takes a few milliseconds: the far sides are told.
const GOODBYE_MS = 150

let connections: Connections | undefined

const report = (message: Report): void => {
  if (process.connected) process.send?.(message)
}

function end(): void {
  connections?.closeAll()
  setTimeout(() => process.exit(0), GOODBYE_MS)
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
process.on('disconnect', () => process.exit(0))
// Ctrl-C in a terminal reaches the whole family; the room says when it is time.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', end)
