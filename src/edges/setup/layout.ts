/** What all pages of this room share: their frame, their look, and the headers that keep them strict. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { html, page, type Html } from '../http/index.ts'
import { PAGE_HOSTS } from './spots.ts'
import type { Visit } from './visit.ts'

const STYLE = html`<style>
nav a,nav strong{display:inline-block;margin-right:1rem}pre{white-space:pre-wrap;padding:.6rem;border:1px solid var(--line);border-radius:.3rem;margin:.5rem 0}
details{border-bottom:1px solid var(--line);padding:.4rem 0}summary{cursor:pointer;font-weight:600;padding:.3rem 0}
.button{display:inline-block;border:1px solid var(--link);border-radius:.3rem;padding:.4rem .8rem;margin:.2rem .4rem .2rem 0}
.qr{width:12rem;max-width:100%;height:auto;display:block}
.scan{display:flex;flex-wrap:wrap;gap:1rem;align-items:center}.scan>div{flex:1 1 14rem}
.checks{list-style:none;padding:0}.checks li{border-bottom:1px solid var(--line);padding:.6rem 0}
.checks img{height:1.5rem;vertical-align:middle;margin-left:.4rem}
.yes,.no{white-space:nowrap}.yes{color:#176f2c}.no{color:#9a3d00}@media(prefers-color-scheme:dark){.yes{color:#5cd17b}.no{color:#ffb27a}}
li[data-state=yes] .advice{display:none}
ol{padding-left:1.4rem}li{margin:.2rem 0}
</style>`

const TITLES: Record<(typeof PAGE_HOSTS)[number], string> = {
  setup: 'Set up a device',
  check: 'What works here',
  my: 'You and this box',
}

const links = (active: keyof typeof TITLES, start: string): Html =>
  html`<nav><a href="${start}">Start</a>${PAGE_HOSTS.map((name) =>
    name === active
      ? html`<strong>${TITLES[name]}</strong>`
      : html`<a href="/.btlink/${name}">${TITLES[name]}</a>`,
  )}</nav>`

export function frame(name: keyof typeof TITLES, visit: Visit, body: Html): string {
  const { host, root, port, scheme } = visit
  // The start page of the box is on another host than these pages have of their own.
  const start = host.endsWith(`.${root}`) ? `${scheme}://${root}${port}/` : '/'
  return page(
    TITLES[name],
    html`${links(name, start)}
<h1>${TITLES[name]}</h1>
${body}`,
    STYLE,
  )
}

export interface Policy {
  /** Of the one script of the page. */
  nonce?: string
  /** Origins that pictures may come from, besides the page's own. */
  pictures?: readonly string[]
}

export function sendPage(
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  body: string,
  { nonce, pictures = [] }: Policy = {},
): void {
  const policy = [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    ["img-src 'self'", ...pictures].join(' '),
    ...(nonce === undefined ? [] : [`script-src 'nonce-${nonce}'`]),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  send({ req, res }, 'text/html; charset=utf-8', body, policy.join('; '))
}

/** A picture that pages of ours show from other hosts of ours. */
export function sendPicture(
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  svg: Html,
): void {
  const policy = "default-src 'none'; style-src 'unsafe-inline'"
  send({ req, res }, 'image/svg+xml', svg.markup, policy)
}

function send(
  { req, res }: { req: IncomingMessage; res: ServerResponse },
  type: string,
  text: string,
  policy: string,
): void {
  const body = Buffer.from(text)
  res.writeHead(200, [
    'Content-Type',
    type,
    'Content-Length',
    String(body.length),
    'Content-Security-Policy',
    policy,
    'Cache-Control',
    'no-store',
    'Referrer-Policy',
    'no-referrer',
    'X-Content-Type-Options',
    'nosniff',
  ])
  res.end(req.method === 'HEAD' ? undefined : body)
}
