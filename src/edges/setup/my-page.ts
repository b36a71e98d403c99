/** `my.<tld>`: who the visitor is to the box, and where the box is. */
import { html, type Html } from '../http/index.ts'
import { frame } from './layout.ts'
import { familyOf, type Visit } from './visit.ts'
import type { Ways } from './ways.ts'

function way({ viaProxy, kind }: Visit): string {
  if (viaProxy) return 'through the proxy of this box'
  const ways: Record<Visit['kind'], string> = {
    name: 'by name, which DNS led to this box',
    address: 'by the address of this box',
    local: 'on the machine that the box runs on',
    gateway: 'by a gateway domain of this box',
  }
  return ways[kind]
}

/** Strangers see what they know already. */
const box = ({ addresses, httpPort, httpsPort, dnsPort }: Ways): Html => html`<h2>The box</h2>
<dl>
<dt>Its addresses</dt><dd id="addresses">${
  addresses.length === 0
    ? 'none but this machine’s own'
    : addresses.map((address) => html`<code>${address}</code> `)
}</dd>
<dt>http, and the proxy</dt><dd>port <code>${httpPort}</code></dd>
<dt>https</dt><dd>${httpsPort === 0 ? 'off' : html`port <code>${httpsPort}</code>`}</dd>
<dt>DNS</dt><dd>${dnsPort === 0 ? 'off' : html`port <code>${dnsPort}</code>`}</dd>
</dl>`

export function myPage({ ways }: { ways: Ways }, visit: Visit): string {
  const { address, isHouse, scheme, host, port } = visit
  return frame(
    'my',
    visit,
    html`<dl>
<dt>Your address</dt><dd id="address"><code>${address === '' ? 'unknown' : address}</code> (IPv${familyOf(address)})</dd>
<dt>Counted as one of the house</dt><dd id="house">${isHouse ? 'yes: you may upload, and the proxy leads you to other sites' : 'no: you may read what the box serves'}</dd>
<dt>You came</dt><dd id="way">${way(visit)}, over <code>${scheme}</code>, asking for <code>${host}${port}</code></dd>
</dl>
${isHouse ? box(ways) : ''}`,
  )
}
