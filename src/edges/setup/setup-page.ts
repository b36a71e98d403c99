/** `setup.<tld>`: the way from a new device to one that opens names over http and https. */
import { html, type Html } from '../http/index.ts'
import type { RootCertificate } from '../../base/ports/cert-issuer.ts'
import { deviceGuides, type Guide } from './devices.ts'
import { frame } from './layout.ts'
import { qrSvg } from './qr.ts'
import { routerGuides } from './routers.ts'
import type { Visit } from './visit.ts'
import type { Ways } from './ways.ts'

export interface SetupFacts {
  tld: string
  ways: Ways
  /** Undefined while the box has none to show. */
  root: RootCertificate | undefined
  /** The second one, where domains with link records get https. */
  linksRoot: RootCertificate | undefined
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
/** As iOS, Firefox and Windows show it: pairs in capitals. */
export const pairs = (sha256: string): string => (sha256.toUpperCase().match(/../g) ?? []).join(':')

const foldable = ({ id, title, steps }: Guide, isOpen: boolean): Html =>
  isOpen
    ? html`<details id="${id}" open><summary>${title} (this device)</summary>${steps}</details>`
    : html`<details id="${id}"><summary>${title}</summary>${steps}</details>`

const certificate = (root: RootCertificate, query: string): Html => html`<p>
<a class="button" href="/.btlink/rootca.mobileconfig${query}">iPhone, iPad, Mac</a>
<a class="button" href="/.btlink/rootca.crt${query}">Android, Windows</a>
<a class="button" href="/.btlink/rootca.pem${query}">Linux, Firefox</a></p>
<dl>
<dt>Name</dt><dd>${root.name}, good until ${day(root.notAfter)}</dd>
<dt>Can vouch for</dt><dd>${root.permitted.map((domain) => html`<code>${domain}</code> and everything below it. `)}Nothing else, and no address.</dd>
<dt>Fingerprint (SHA-256)</dt><dd><code>${pairs(root.sha256)}</code></dd>
<dt>The same in words</dt><dd class="words">${root.words.join(' ')}</dd>
</dl>`

const certificates = ({
  tld,
  root,
  linksRoot,
}: SetupFacts): Html => html`<h2 id="certificate">Certificate</h2>
<p>Everything works over <code>http</code> without it. With it, sites open over <code>https</code>, which some of their features need.</p>
${root ? certificate(root, '') : html`<p>This box has no certificate to show at the moment.</p>`}
<p class="dim">Before you trust it, compare the fingerprint with the one that the box itself shows (<code>btlinkd ca show</code>): what you read here came over your network. It was made on this box for names under <code>${tld}</code>.</p>
${linksRoot ? html`<h3>For linked domains</h3>${certificate(linksRoot, '?realm=links')}` : ''}`

const box = ({ tld, ways }: SetupFacts): Html => html`<h2 id="box">This box</h2>
<dl>
<dt>Proxy script (PAC)</dt><dd><code>${ways.pacUrl}</code></dd>
<dt>HTTP proxy</dt><dd><code>${ways.proxyHost}</code>, port <code>${ways.httpPort}</code></dd>
<dt>DNS server</dt><dd>${
  ways.dnsPort === 0 || ways.address === undefined
    ? 'none at the moment'
    : html`<code>${ways.address}</code>${ways.dnsPort === 53 ? '' : html`, port <code>${ways.dnsPort}</code>. Devices ask at port 53 only: let the box listen there (<code>dns.port</code>), or lead the port to it.`}`
}</dd>
${
  ways.httpsPort === 0
    ? ''
    : html`<dt>For devices that trust the certificate</dt><dd><code>${ways.pacUrl}?secure=1</code>: the proxy too is spoken to over TLS, as <code>proxy.${tld}:${ways.httpsPort}</code>. Not for Safari.</dd>`
}
</dl>`

const levels = (tld: string): Html => html`<h2 id="ways">Four ways in</h2>
<dl>
<dt>Nothing at all</dt><dd>A public gateway: <code>NAME.${tld}.GATEWAY</code> opens in every browser. It sees what you read, and all sites share one domain.</dd>
<dt>The proxy script</dt><dd>Names end in <code>.${tld}</code>. For browsers; works beside any DNS, and pages of the internet may use content of names.</dd>
<dt>The house’s DNS</dt><dd>One setting in the router for every device, apps and televisions too.</dd>
<dt>btlinkd on the device itself</dt><dd><code>http://NAME.${tld}.localhost:42080/</code>, on the road as well, with nothing to set.</dd>
</dl>`

const troubles = (tld: string): Html => html`<h2 id="trouble">When it does not work</h2>
<dl>
<dt>The name becomes a search</dt><dd>Type <code>http://</code> before it, or <code>/</code> behind it.</dd>
<dt>“Not found”, but the address works</dt><dd>The device asks another DNS: Private DNS (Android), DNS over HTTPS (Firefox, Chrome, Windows), iCloud Private Relay, a VPN, a second DNS server beside the box, or one that the router announces over IPv6.</dd>
<dt>The router is asked, and answers nothing</dt><dd>Its rebind protection drops private addresses. Give out the box itself as DNS server, or make an exception for <code>${tld}</code>.</dd>
<dt>Not trusted, although installed</dt><dd>Close the browser wholly and open it again. On an iPhone, the switch in Certificate Trust Settings is a second step. Firefox has a store of its own.</dd>
<dt>A page of the internet may not load something of a name</dt><dd>Chrome and Firefox ask first, or refuse, when it leads into the house. Through the proxy they do not.</dd>
<dt>The setting has no effect</dt><dd>Browsers keep proxy scripts for hours. Chrome: <code>chrome://net-internals/#proxy</code> › Re-apply settings. Else leave the network and join it again.</dd>
</dl>`

export async function setupPage(facts: SetupFacts, visit: Visit): Promise<string> {
  const { tld, ways } = facts
  const { own, guides } = deviceGuides(ways, { tld, userAgent: visit.userAgent })
  const qr = await qrSvg(ways.setupUrl, `QR code of ${ways.setupUrl}`)
  return frame(
    'setup',
    visit,
    html`<div class="scan">${qr}<div><p>For another device in this network: scan, or type</p>
<p><a id="url" href="${ways.setupUrl}">${ways.setupUrl}</a></p>
<p class="dim">Then see <a href="/.btlink/check">what works</a>.</p></div></div>
<h2 id="devices">Devices</h2>
${guides.map((guide) => foldable(guide, guide.id === own))}
${certificates(facts)}
${box(facts)}
<h2 id="router">The whole house, by the router</h2>
<p>DHCP option 6 names the box as DNS server, and names work on everything in the house. Option 252 offers the proxy script: Windows and ChromeOS look there by themselves, most others only when told to. Give out no second DNS server: devices would ask either.</p>
${routerGuides(ways, tld).map((guide) => foldable(guide, false))}
${levels(tld)}
${troubles(tld)}`,
  )
}
