/** A device of the house that anybody may ask, and a page that tries to: what a hostile site would do. */
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { output } from './processes.ts'
import { type Cleanup, finallyDo, tempFolder } from './temp.ts'

export const CERTUTIL = '/usr/bin/certutil'

export interface LanDevice {
  port: number
  /** Who got through, in order; tests empty it. */
  knocks: string[]
}

/** On loopback; it lets any page read what it says. */
export async function startLanDevice(t: Cleanup): Promise<LanDevice> {
  const knocks: string[] = []
  const http = createServer((req, res) => {
    knocks.push(`${req.method} ${req.url}`)
    res.writeHead(200, {
      'access-control-allow-origin': '*',
      'access-control-allow-private-network': 'true',
      'content-type': 'text/html',
    })
    res.end('reached')
  })
  const sockets = new WebSocketServer({ server: http })
  sockets.on('connection', () => knocks.push('ws'))
  await new Promise<void>((ready) => void http.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => {
    for (const socket of sockets.clients) socket.terminate()
    http.close()
    http.closeAllConnections()
  })
  return { port: (http.address() as AddressInfo).port, knocks }
}

/** How many different ways `hostilePage` knows. */
export const WAYS = 5

/**
 * Tries to reach the device in five ways, then a neighbour among the sites and itself. Its title is
 * then `in, <data.txt of the neighbour>`; its own file is `own.txt`.
 */
export const hostilePage = (
  device: LanDevice,
  neighbour: string,
): string => `<!doctype html><title>waiting</title><body><script type=module>
const at = '127.0.0.1:${device.port}'
const settled = (promise) => promise.then(() => 'in', () => 'out')
const element = (name, attribute, value) => new Promise((ok, no) => {
  const made = document.createElement(name)
  made.onload = ok; made.onerror = no
  made[attribute] = value
  document.body.append(made)
})
const late = () => new Promise((_, no) => setTimeout(no, 2000))
await Promise.allSettled([
  fetch('http://' + at + '/fetch'),
  fetch('http://' + at + '/post', { method: 'POST', mode: 'no-cors', body: 'x' }),
  Promise.race([element('img', 'src', 'http://' + at + '/img'), late()]),
  Promise.race([element('iframe', 'src', 'http://' + at + '/frame'), late()]),
  new Promise((ok, no) => { const s = new WebSocket('ws://' + at + '/ws'); s.onopen = ok; s.onerror = no }),
])
const own = await settled(fetch('/own.txt').then((r) => r.text()))
const neighbour = await fetch('//${neighbour}/data.txt').then((r) => r.text(), String)
document.title = own + ', ' + neighbour
</script>`

/** A home with a root certificate in it, as Chromium looks for them. */
export async function trustingHome(t: Cleanup, ca: string): Promise<Record<string, string>> {
  const HOME = await tempFolder(t, 'home')
  const database = join(HOME, '.pki/nssdb')
  await mkdir(database, { recursive: true })
  await output(CERTUTIL, ['-N', '-d', `sql:${database}`, '--empty-password'])
  await output(CERTUTIL, ['-A', '-d', `sql:${database}`, '-n', 'btlink', '-t', 'C,,', '-i', ca])
  return { HOME }
}
