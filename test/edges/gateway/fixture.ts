/** A gateway over fakes, and ways to ask it: by name with http.request, or byte by byte. */
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { Value } from 'typebox/value'
import { systemClock } from '../../../src/base/ports/clock.ts'
import { silentLog } from '../../../src/base/ports/log.ts'
import {
  createGateway,
  type BtlinkConfig,
  type Gateway,
  type GatewayDeps,
  type UploadsConfig,
} from '../../../src/edges/gateway/index.ts'
import {
  btlinkConfigSchema,
  proxyConfigSchema,
  uploadsConfigSchema,
} from '../../../src/edges/gateway/config.ts'
import { createFakeLibrary, type FakeLibrary } from '../../fakes/library.ts'
import { tempFolder, type Cleanup } from '../../support/temp.ts'

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text: string
}

export interface Fixture extends FakeLibrary {
  gateway: Gateway
  port: number
  /** @param host without port, as a Host header */
  ask(
    host: string,
    path: string,
    options?: { method?: string; headers?: Record<string, string>; body?: string | Buffer },
  ): Promise<Reply>
  /** Sends bytes, gives everything that came back until the gateway closed or `quietMs` went by. */
  raw(bytes: string | Buffer, quietMs?: number): Promise<string>
}

export async function startGateway(
  t: Cleanup,
  config: {
    btlink?: Partial<BtlinkConfig>
    uploads?: Partial<UploadsConfig>
    links?: GatewayDeps['links']
  } = {},
  trackers: string[] = [],
): Promise<Fixture> {
  const fake = createFakeLibrary(await tempFolder(t, 'btl-gateway'))
  const gateway = createGateway(
    {
      ...fake,
      log: silentLog,
      clock: systemClock,
      announceUrls: () => trackers,
      ...(config.links && { links: config.links }),
    },
    {
      btlink: { ...Value.Create(btlinkConfigSchema), ...config.btlink },
      proxy: { ...Value.Create(proxyConfigSchema), address: '127.0.0.1', http_port: 0 },
      uploads: { ...Value.Create(uploadsConfigSchema), ...config.uploads },
    },
  )
  t.after(() => gateway.stop())
  await gateway.start(new AbortController().signal)
  const { port } = gateway

  const ask: Fixture['ask'] = async (host, path, options = {}) =>
    new Promise((resolve, reject) => {
      const req = request(
        {
          host: '127.0.0.1',
          port,
          path,
          method: options.method ?? 'GET',
          headers: { host, ...options.headers },
          agent: false,
        },
        (res) => {
          const chunks: Buffer[] = []
          res.on('data', (chunk: Buffer) => chunks.push(chunk))
          res.on('error', reject)
          res.on('end', () => {
            const body = Buffer.concat(chunks)
            const status = res.statusCode ?? 0
            resolve({ status, headers: res.headers, body, text: body.toString() })
          })
        },
      )
      req.on('error', reject)
      req.end(options.body)
    })

  const raw: Fixture['raw'] = async (bytes, quietMs = 1500) =>
    new Promise((resolve) => {
      const chunks: Buffer[] = []
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
      const done = () => {
        socket.destroy()
        resolve(Buffer.concat(chunks).toString('latin1'))
      }
      socket.setTimeout(quietMs, done)
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('close', done)
      socket.on('error', done)
    })

  return { ...fake, gateway, port, ask, raw }
}

/** The vectors of BEP 46: a key and its name in base36. */
export const KEY_HEX = '8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e'
export const KEY_LABEL = '3bkn7umqo2g90xy96r2wpyrlu5j7n6s8ii3eoz4ra5nv45hh6m-pk'

/** `…-ih.btlink.localhost` of a torrent. */
export const hostOfTorrent = (infoHash: string): string => `${infoHash}-ih.btlink.localhost`
