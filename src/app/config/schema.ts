/** The one schema of the configuration: the rooms' sections, put together. */
import { type Static, type TProperties, Type } from 'typebox'
import { flag, text } from '../../base/config-schema.ts'
import { apiConfigSchema } from '../../edges/api/config.ts'
import {
  btlinkConfigSchema,
  proxyConfigSchema,
  uploadsConfigSchema,
} from '../../edges/gateway/config.ts'
import { dnsConfigSchema } from '../../edges/dns/config.ts'
import { pacConfigSchema } from '../../edges/pac/config.ts'
import { proxyServerConfigSchema } from '../../edges/proxy/config.ts'
import { trackerConfigSchema } from '../../edges/tracker/config.ts'
import { dhtConfigSchema } from '../../engines/dht/config.ts'
import { acmeConfigSchema } from '../../engines/acme/config.ts'
import { pkiConfigSchema } from '../../engines/pki/config.ts'
import { storageConfigSchema } from '../../engines/store/config.ts'
import { swarmConfigSchema } from '../../engines/torrent/config.ts'
import { upstreamDnsConfigSchema } from '../../engines/upstream-dns/config.ts'
import { webrtcConfigSchema } from '../../engines/webrtc/config.ts'
import { doctorConfigSchema } from '../../services/doctor/config.ts'
import { healthConfigSchema } from '../../services/health/config.ts'
import { libraryConfigSchema } from '../../services/library/config.ts'
import { publishConfigSchema } from '../../services/publish/config.ts'
import { resolveConfigSchema } from '../../services/resolve/config.ts'
import { updateConfigSchema } from '../../services/update/config.ts'
import {
  adminSchema,
  blossomSchema,
  nostrSchema,
  rateLimitingSchema,
  transcodingSchema,
} from './seed-sections.ts'

const strict = { additionalProperties: false } as const

/** Sections of several rooms under one name. A key that two of them declare is the same key. */
const merged = <A extends TProperties, B extends TProperties>(
  a: { properties: A },
  b: { properties: B },
) => Type.Object({ ...b.properties, ...a.properties }, strict)

const logSchema = Type.Object(
  {
    level: Type.Union(
      [Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')],
      { default: 'info', description: 'The least important lines that are written.' },
    ),
    format: Type.Union([Type.Literal('text'), Type.Literal('json')], {
      default: 'text',
      description: 'Lines for people, or one JSON object a line.',
    }),
    request_headers: flag(
      false,
      'Write the headers of every request; credentials are left out. For debugging.',
    ),
  },
  strict,
)

export const configSchema = Type.Object(
  {
    mode: Type.Union(
      [
        Type.Literal('unified'),
        Type.Literal('gateway-only'),
        Type.Literal('proxy-only'),
        Type.Literal('blossom-only'),
        Type.Literal('dht-only'),
      ],
      {
        default: 'unified',
        description:
          'Which parts run: all, the gateway, the proxy before the gateway of another box, the blob server, or the DHT node alone.',
      },
    ),
    state_dir: text('./data', 'Folder of everything the daemon remembers.'),
    gateway: apiConfigSchema,
    btlink: merged(btlinkConfigSchema, merged(resolveConfigSchema, libraryConfigSchema)),
    proxy: merged(proxyServerConfigSchema, proxyConfigSchema),
    pac: pacConfigSchema,
    pki: pkiConfigSchema,
    acme: acmeConfigSchema,
    dns: dnsConfigSchema,
    upstream: upstreamDnsConfigSchema,
    uploads: uploadsConfigSchema,
    dht: dhtConfigSchema,
    swarm: swarmConfigSchema,
    webrtc: webrtcConfigSchema,
    storage: storageConfigSchema,
    publish: publishConfigSchema,
    health: healthConfigSchema,
    doctor: doctorConfigSchema,
    update: updateConfigSchema,
    log: logSchema,
    blossom_server: blossomSchema,
    tracker: trackerConfigSchema,
    nostr: nostrSchema,
    transcoding: transcodingSchema,
    admin: adminSchema,
    rate_limiting: rateLimitingSchema,
  },
  strict,
)

/** The configuration as rooms get it: every key there, sizes in bytes, durations in milliseconds. */
export type Config = Static<typeof configSchema>
