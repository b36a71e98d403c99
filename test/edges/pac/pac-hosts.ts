/** Hosts and where a PAC file has to send them: one table for every engine that reads PAC files. */
import { Value } from 'typebox/value'
import { createPac, type Pac, type PacOptions } from '../../../src/edges/pac/index.ts'
import { pacConfigSchema } from '../../../src/edges/pac/config.ts'

export const PROXIED = [
  'btlink',
  'BTLINK',
  'btlink.',
  '4a5f0d2a3b1c4d5e6f708192a3b4c5d6e7f80910-ih.btlink',
  'X-IH.BtLink',
  'salt.key-pk.btlink.',
  'a.b.c.d.btlink',
  'check.btlink',
  'proxied.example',
  'www.Proxied.Example.',
]

export const DIRECT = [
  'example.com',
  'btlink.example.com',
  'x-ih.btlink.localhost',
  'x-ih.btlink.gw.proxied.example',
  'evilbtlink',
  'btlink.evil',
  'notproxied.example',
  'localhost',
  'wpad',
  'wpad.lan',
  '192.168.1.1',
  'xn--bcher-kva.example',
]

export function createTestPac(
  ports: { http: number; https?: number },
  options: Partial<PacOptions> = {},
): Pac {
  return createPac(
    { httpPort: () => ports.http, httpsPort: () => ports.https ?? 0 },
    {
      ...Value.Create(pacConfigSchema),
      proxy_domains: ['proxied.example'],
      gateway_domains: ['gw.proxied.example'],
      tld: 'btlink',
      ...options,
    },
  )
}
