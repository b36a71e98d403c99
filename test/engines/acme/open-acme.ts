/** A client of an authority, in a temporary folder, with a clock that moves by hand. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Value } from 'typebox/value'
import { type Log, silentLog } from '../../../src/base/ports/log.ts'
import { acmeConfigSchema } from '../../../src/engines/acme/config.ts'
import { type Acme, type AcmeOptions, createAcme } from '../../../src/engines/acme/index.ts'
import { type Cleanup, finallyDo, tempFolder } from '../../support/temp.ts'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const SITE = '4a533d47ec9c7d95b1ad75f576cffc641853b750-ih.btlink.gw.example'

export const acmeOptions: AcmeOptions = {
  ...Value.Create(acmeConfigSchema),
  terms_agreed: true,
  email: 'box@gw.example',
  tld: 'btlink',
  gateway_domains: ['gw.example'],
}

export interface OpenAcme {
  acme: Acme
  folder: string
  clock: { now(): number; at: number }
  /** Messages logged, with their level in front. */
  logged: string[]
}

export interface OpenOptions extends Partial<AcmeOptions> {
  folder?: string
  now?: number
  /** Do not start it. */
  asleep?: boolean
}

export async function openAcme(t: Cleanup, options: OpenOptions): Promise<OpenAcme> {
  const {
    folder = `${await tempFolder(t, 'acme')}/acme`,
    now = Date.now(),
    asleep = false,
    ...rest
  } = options
  const clock = {
    at: now,
    now(): number {
      return clock.at
    },
  }
  const logged: string[] = []
  const say = (level: string) => (fields: object, message: string) =>
    void logged.push(`${level} ${message} ${JSON.stringify(fields)}`)
  const log: Log = { ...silentLog, warn: say('warn'), error: say('error'), info: say('info') }
  const acme = createAcme({ log, clock, folder }, { ...acmeOptions, ...rest })
  finallyDo(t, () => acme.stop())
  if (!asleep) await acme.start(new AbortController().signal)
  return { acme, folder, clock, logged }
}

export interface Door {
  port: number
  /** Who answers; set when it is there. */
  acme?: Acme
  /** Path and Host of everything that was asked. */
  asked: string[]
}

/** Port 80 of the gateway, as the authority sees it. */
export async function startDoor(t: Cleanup): Promise<Door> {
  const door: Door = { port: 0, asked: [] }
  const server = createServer((req, res) => {
    door.asked.push(`${req.headers.host ?? ''} ${req.url ?? ''}`)
    if (door.acme?.answer(req, res)) return
    res.writeHead(404)
    res.end('nothing here')
  })
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready))
  finallyDo(t, () => {
    server.close()
    server.closeAllConnections()
  })
  door.port = (server.address() as AddressInfo).port
  return door
}
