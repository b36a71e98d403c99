/** Asks the Avahi daemon for a `.local` name, over the line protocol that nss-mdns speaks with it. */
import { connect } from 'node:net'
import { isUsable } from './candidate.ts'

const SOCKET = '/run/avahi-daemon/socket'
const MAX_REPLY = 1024
const LIMIT_MS = 1500
// "+", interface, protocol, name, address.
const FOUND = /^\+ \S+ \S+ \S+ ([0-9a-fA-F:.]{2,45})\r?\n/

/**
 * Where Avahi runs it may have taken port 5353 for itself. It is not asked through the C library:
 * nss-mdns first asks the provider's DNS who is responsible for `local`, and without Avahi for the
 * name itself.
 * @param name checked before: a host name that ends in `.local`
 * @returns an address literal; undefined where there is no Avahi, or it does not know
 */
export function askAvahi(name: string, path = SOCKET): Promise<string | undefined> {
  return new Promise((found) => {
    const socket = connect(path)
    const late = setTimeout(() => socket.destroy(), LIMIT_MS).unref()
    let reply = ''
    socket.setEncoding('latin1')
    socket.on('error', () => undefined)
    socket.on('data', (text: string) => {
      reply += text
      if (reply.includes('\n') || reply.length > MAX_REPLY) socket.destroy()
    })
    socket.once('close', () => {
      clearTimeout(late)
      const [, address] = FOUND.exec(reply) ?? []
      found(address !== undefined && isUsable(address) ? address : undefined)
    })
    socket.write(`RESOLVE-HOSTNAME ${name}\n`)
  })
}
