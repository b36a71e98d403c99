/** The root certificate as files, on every host: whoever reaches the box at all can get it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { printable } from '../../base/errors.ts'
import type { Realm, RootCertificate } from '../../base/ports/cert-issuer.ts'
import { precondition } from '../http/index.ts'
import { BadRealm, NotForScripts } from './errors.ts'

interface Form {
  type: string
  extension: string
  body: (root: RootCertificate) => string | Uint8Array
}

// iOS takes a certificate in this type only, and Firefox then asks whether to trust it.
const CERTIFICATE = 'application/x-x509-ca-cert'
const FORMS: Record<string, Form> = {
  '/.btlink/rootca.pem': { type: CERTIFICATE, extension: 'pem', body: ({ pem }) => pem },
  '/.btlink/rootca.crt': { type: CERTIFICATE, extension: 'crt', body: ({ der }) => der },
  '/.btlink/rootca.mobileconfig': {
    type: 'application/x-apple-aspen-config',
    extension: 'mobileconfig',
    body: ({ mobileConfig }) => mobileConfig,
  },
}

export const isCertificatePath = (path: string): boolean => Object.hasOwn(FORMS, path)

function realmOf(query: string | undefined): Realm {
  const realm = new URLSearchParams(query).get('realm') ?? 'names'
  if (realm !== 'names' && realm !== 'links') throw new BadRealm(printable(realm, 20))
  return realm
}

/**
 * The certificate is another one on every box, and would tell a site whose visitor it has. Over https
 * browsers say whether a page asks or a person.
 */
function checkReader({ headers }: IncomingMessage): void {
  const mode = headers['sec-fetch-mode']
  if (mode !== undefined && mode !== 'navigate') throw new NotForScripts()
}

export async function sendCertificate(
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  { path, query }: { path: string; query: string | undefined },
  root: (realm: Realm) => Promise<RootCertificate>,
): Promise<void> {
  const form = FORMS[path]
  if (form === undefined) throw new TypeError(`${path} is no certificate`)
  checkReader(req)
  const realm = realmOf(query)
  const certificate = await root(realm)
  const etag = `"${certificate.sha256.slice(0, 32)}-${form.extension}"`
  // Asked anew each time: after a rotation the former one opens nothing.
  const headers = ['ETag', etag, 'Cache-Control', 'no-cache', 'X-Content-Type-Options', 'nosniff']
  headers.push('Cross-Origin-Resource-Policy', 'same-origin')
  if (precondition(req.headers, { etag }) === 'not-modified') {
    res.writeHead(304, headers).end()
    return
  }
  const body = Buffer.from(form.body(certificate))
  const name = realm === 'names' ? 'rootca' : 'rootca-links'
  // Inline, for Safari and Firefox install what they show and only keep what they save.
  headers.push('Content-Disposition', `inline; filename=btlink-${name}.${form.extension}`)
  headers.push('Content-Type', form.type, 'Content-Length', String(body.length))
  res.writeHead(200, headers)
  res.end(req.method === 'HEAD' ? undefined : body)
}
