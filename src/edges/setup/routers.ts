/** How a router tells the whole house about this box: DHCP option 6 (RFC 2132 §3.8) and option 252 (WPAD). */
import { html, type Html } from '../http/index.ts'
import type { Guide } from './devices.ts'
import type { Ways } from './ways.ts'

interface Router {
  id: string
  title: string
  steps: (at: { dns: string; wpad: string; tld: string }) => Html
}

const code = (text: string): Html => html`<code>${text}</code>`
const lines = (text: string): Html => html`<pre><code>${text}</code></pre>`

const ROUTERS: readonly Router[] = [
  {
    id: 'fritzbox',
    title: 'FRITZ!Box',
    steps: ({ dns }) =>
      html`<p>Home Network › Network › Network Settings › more settings › IPv4 Addresses › Local DNS server: ${code(dns)}. The same under IPv6 Addresses › DNSv6 server, with the box’s address that begins with ${code('fd')}; or switch off “Also announce DNSv6 server via router advertisement”.</p>
<p>It has no option 252: devices that want the proxy are given the script by hand. Do not set the box as the FRITZ!Box’s own upstream: its rebind protection drops our answers.</p>`,
  },
  {
    id: 'openwrt',
    title: 'OpenWrt',
    steps: ({ dns, wpad }) =>
      html`${lines(`uci add_list dhcp.lan.dhcp_option='6,${dns}'
uci add_list dhcp.lan.dhcp_option='252,${wpad}'
uci commit dhcp && /etc/init.d/dnsmasq restart`)}<p>For IPv6 also ${code("uci add_list dhcp.lan.dns='ADDRESS'")} with the box’s address that begins with ${code('fd')}.</p>`,
  },
  {
    id: 'dnsmasq',
    title: 'dnsmasq (also Pi-hole, ASUS Merlin, DD-WRT)',
    steps: ({ dns, wpad, tld }) =>
      html`${lines(`dhcp-option=option:dns-server,${dns}
dhcp-option=252,"${wpad}"`)}<p>Where dnsmasq itself is to stay the resolver of the house:</p>${lines(`server=/${tld}/${dns}
rebind-domain-ok=/${tld}/`)}`,
  },
  {
    id: 'isc-dhcp',
    title: 'ISC dhcpd',
    steps: ({ dns, wpad }) =>
      lines(`option wpad code 252 = text;
option domain-name-servers ${dns};
option wpad "${wpad}";`),
  },
  {
    id: 'kea',
    title: 'Kea',
    steps: ({ dns, wpad }) =>
      lines(`"option-def": [ { "name": "wpad", "code": 252, "type": "string" } ],
"option-data": [
  { "name": "domain-name-servers", "data": "${dns}" },
  { "name": "wpad", "data": "${wpad}" }
]`),
  },
  {
    id: 'mikrotik',
    title: 'MikroTik',
    steps: ({ dns, wpad }) =>
      lines(`/ip dhcp-server option add code=252 name=wpad value="'${wpad}'"
/ip dhcp-server network set [find] dns-server=${dns} dhcp-option=wpad`),
  },
  {
    id: 'unifi',
    title: 'UniFi',
    steps: ({ dns, wpad }) =>
      html`<p>Settings › Networks › your network › DHCP › DNS Server, not Auto: ${code(dns)}. WPAD URL, or a custom DHCP option with code 252 and type text: ${code(wpad)}.</p>`,
  },
  {
    id: 'pfsense',
    title: 'pfSense and OPNsense',
    steps: ({ dns, wpad }) =>
      html`<p>Services › DHCP Server › LAN › DNS servers: ${code(dns)}. Additional BOOTP/DHCP options: number 252, type Text, value ${code(`"${wpad}"`)}. In OPNsense the quotation marks are left out.</p>`,
  },
  {
    id: 'others',
    title: 'Routers of providers, Google Nest, Eero',
    steps: ({ dns }) =>
      html`<p>Most have a field for the DNS server of the local network: ${code(dns)}. Where there is none, set DNS or the script on each device.</p>`,
  },
]

export function routerGuides(ways: Ways, tld: string): Guide[] {
  const at = {
    dns: ways.address ?? 'ADDRESS',
    // Windows and WPAD know port 80 best, but take any that is written.
    wpad: `${ways.base}/wpad.dat`,
    tld,
  }
  return ROUTERS.map(({ id, title, steps }) => ({ id, title, steps: steps(at) }))
}
