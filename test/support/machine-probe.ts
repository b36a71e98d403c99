/** A root shell in a machine of a test, over a virtio port, by a credential: the image has no code for it. */
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Name of the virtio port. */
export const PROBE = 'org.btlinkd.probe'

// systemd-debug-generator(8): a credential `systemd.extra-unit.NAME` is a unit, `systemd.wants=` starts it.
export const PROBE_UNIT = `[Unit]
DefaultDependencies=no
After=systemd-udev-trigger.service
Conflicts=shutdown.target
[Service]
ExecStart=/bin/sh -c 'while ! [ -e /dev/virtio-ports/${PROBE} ]; do sleep .2; done; exec /bin/sh <>/dev/virtio-ports/${PROBE} >&0 2>&0'
Restart=always
RestartSec=200ms
`

/** The host's end of the root shell: QEMU connects to it at each start of the machine. */
export class Probe {
  #server: Server
  #socket: Socket | undefined
  #text = ''
  #turn = 0
  #greeted: Socket | undefined
  #queue: Promise<unknown> = Promise.resolve()

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      this.#socket?.destroy()
      this.#socket = socket
      socket.on('data', (chunk: Buffer) => {
        this.#text += chunk.toString()
      })
      socket.on('error', () => undefined)
      // A machine that is off hears nothing: what is said waits for its next start.
      socket.on('close', () => {
        if (this.#socket === socket) this.#socket = undefined
      })
    })
  }

  static async listen(path: string): Promise<Probe> {
    await rm(path, { force: true })
    const server = createServer()
    const probe = new Probe(server)
    server.listen(path)
    await once(server, 'listening')
    return probe
  }

  /** One at a time: there is one shell. */
  run(command: string, timeoutMs: number): Promise<{ code: number; text: string }> {
    const turn = this.#queue.then(() => this.#ask(command, timeoutMs))
    this.#queue = turn.catch(() => undefined)
    return turn
  }

  async #ask(command: string, timeoutMs: number): Promise<{ code: number; text: string }> {
    const deadline = Date.now() + timeoutMs
    await this.#greet(deadline)
    const id = ++this.#turn
    const begin = `@begin-${id}@\n`
    const end = new RegExp(`@end-${id}-(\\d+)@\\n`)
    this.#text = ''
    this.#socket?.write(
      `printf '@begin-%s@\\n' ${id}; ( ${command}\n) </dev/null 2>&1; printf '@end-%s-%s@\\n' ${id} $?\n`,
    )
    for (;;) {
      const match = end.exec(this.#text)
      if (match) {
        const from = this.#text.indexOf(begin) + begin.length
        return { code: Number(match[1]), text: this.#text.slice(from, match.index) }
      }
      if (Date.now() > deadline) {
        this.#greeted = undefined
        throw new Error(`no end of ${command} after ${timeoutMs} ms: ${this.#text.slice(-2000)}`)
      }
      await sleep(20)
    }
  }

  /** Until the shell of this boot answers, what is said to it may be lost; commands are said once. */
  async #greet(deadline: number): Promise<void> {
    for (let asked = 0; this.#socket === undefined || this.#greeted !== this.#socket; ) {
      if (Date.now() - asked > 2000) {
        this.#text = ''
        this.#socket?.write("printf '@%s@\\n' ready\n")
        asked = Date.now()
      }
      if (this.#text.includes('@ready@')) this.#greeted = this.#socket
      if (Date.now() > deadline) throw new Error("the machine's shell does not answer")
      await sleep(50)
    }
  }

  close(): void {
    this.#socket?.destroy()
    this.#server.close()
  }
}
