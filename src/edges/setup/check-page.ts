/** `check.<tld>`: what works from the visitor's own device, shown by pictures that load or do not. */
import { html, type Html } from '../http/index.ts'
import { frame } from './layout.ts'
import { familyOf, type Visit } from './visit.ts'
import { bracketed, type Ways } from './ways.ts'

/** Shown where its host could be reached in its way; a browser without scripts says so by showing it. */
export const WORKS: Html = html`<svg xmlns="http://www.w3.org/2000/svg" width="84" height="24" viewBox="0 0 84 24"><style>path{stroke:#176f2c}text{fill:#176f2c}@media(prefers-color-scheme:dark){path{stroke:#5cd17b}text{fill:#5cd17b}}</style><path d="M3 13l5 5 9-12" fill="none" stroke-width="3"/><text x="23" y="18" font-family="system-ui,sans-serif" font-size="16" font-weight="600">works</text></svg>`

const yes = html`<strong class="yes">✓ yes</strong>`
const no = html`<strong class="no">not on this visit</strong>`

interface Row {
  id: string
  what: string
  /** `yes`, `no`, or the picture that answers. */
  state: 'yes' | 'no' | { picture: string }
  note?: Html
  advice: Html
}

function line({ id, what, state, note, advice }: Row): Html {
  const isProbe = typeof state === 'object'
  const answer = isProbe
    ? html`<img src="${state.picture}" alt="not yet">`
    : state === 'yes'
      ? yes
      : no
  return html`<li id="${id}" data-state="${isProbe ? 'asked' : state}">${what} ${answer}${note ? html`<br><span class="dim">${note}</span>` : ''}<div class="advice dim">${advice}</div></li>`
}

function wayRow({ viaProxy, kind }: Visit): Row {
  const notes: Record<Visit['kind'], string> = {
    name: 'by its name: this device asks a DNS server that knows the box, such as the box itself.',
    address: 'by its address, which needs no set-up. Names are tried below.',
    local: 'on the very machine it runs on, where names need no set-up.',
    gateway: 'by a name of the internet, which needs no set-up.',
  }
  const note = viaProxy ? 'through its proxy.' : notes[kind]
  return {
    id: 'reached',
    what: 'The box is reached',
    state: 'yes',
    note: html`This visit came ${note}`,
    advice: html``,
  }
}

/** Rows of what needs another request are pictures; without scripts they answer all the same. */
function rows(visit: Visit, ways: Ways): Row[] {
  const name = ways.named('check', visit.scheme)
  const secure = ways.named('check', 'https')
  const byName = visit.kind === 'name'
  const address6 = ways.addresses.find((address) => familyOf(address) === 6)
  return [
    wayRow(visit),
    {
      id: 'names',
      what: `Names that end in .${ways.nameRoot}`,
      state: byName ? 'yes' : { picture: `${name}/works.svg` },
      advice: html`Where it says “not yet”: this device finds no names. Give it <a href="/.btlink/setup#router">the box’s DNS</a> or <a href="/.btlink/setup#devices">the proxy script</a>.`,
    },
    ...(ways.httpsPort === 0 || visit.kind === 'gateway'
      ? []
      : [
          {
            id: 'trust',
            what: 'https with the box’s certificate',
            state:
              byName && visit.scheme === 'https'
                ? ('yes' as const)
                : { picture: `${secure}/works.svg` },
            note: html`Also as a page: <a href="${secure}/">${secure}/</a>`,
            advice: html`Where it says “not yet”: <a href="/.btlink/setup#certificate">install the certificate</a>, then restart the browser. Names have to work first.`,
          },
        ]),
    {
      id: 'ipv6',
      what: 'IPv6',
      state: familyOf(visit.address) === 6 ? 'yes' : 'no',
      advice:
        address6 === undefined
          ? html`The box has no IPv6 address, and the house works without.`
          : html`Not needed. To try: <a href="http://${bracketed(address6)}:${ways.httpPort}/.btlink/check">the box’s IPv6 address</a>.`,
    },
    {
      id: 'house',
      what: 'This device counts as one of the house',
      state: visit.isHouse ? 'yes' : 'no',
      advice: html`It may read. Uploads, and the proxy to other sites, are for devices of the house: <code>proxy.clients</code> lets in others.`,
    },
  ]
}

// Without it the page says the same; with it, advice that is not needed goes, and failures show at once.
const script = (nonce: string): Html => html`<script nonce="${nonce}">
for (const image of document.querySelectorAll('.checks img')) {
  const say = (state) => { image.closest('li').dataset.state = state }
  const settle = () => say(image.naturalWidth > 0 ? 'yes' : 'no')
  if (image.complete) settle()
  else { image.onload = settle; image.onerror = settle }
}
</script>`

/** Origins that the page's pictures come from. */
export const pictureOrigins = (ways: Ways): string[] => [
  ways.named('check', 'http'),
  ways.named('check', 'https'),
]

export function checkPage(facts: { ways: Ways; nonce: string }, visit: Visit): string {
  return frame(
    'check',
    visit,
    html`<ul class="checks">${rows(visit, facts.ways).map(line)}</ul>
<p class="dim">Your browser finds this out by loading small pictures from the box in each way. “Not yet” stands where one did not come.</p>
${script(facts.nonce)}`,
  )
}
