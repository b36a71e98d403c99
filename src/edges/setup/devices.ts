/** Step by step for each kind of device: the certificate, and the way to names. */
import { html, type Html } from '../http/index.ts'
import type { Ways } from './ways.ts'

export interface Guide {
  id: string
  title: string
  steps: Html
}

interface Device {
  id: string
  title: string
  /** Of its browsers; the first that fits is opened for the visitor. */
  agent?: RegExp
  steps: (ways: Ways, tld: string) => Html
}

const list = (...steps: Html[]): Html =>
  html`<ol>${steps.map((step) => html`<li>${step}</li>`)}</ol>`

const code = (text: string): Html => html`<code>${text}</code>`
const commands = (text: string): Html => html`<pre><code>${text}</code></pre>`

const proxyOf = ({ proxyHost, httpPort }: Ways): string => `${proxyHost}:${httpPort}`
/** Devices ask at port 53 and nowhere else. */
const dnsOf = ({ address, dnsPort }: Ways): Html =>
  address === undefined || dnsPort === 0
    ? html`this box (it answers no DNS at the moment)`
    : html`${code(address)}`

const DEVICES: readonly Device[] = [
  {
    id: 'apple-mobile',
    title: 'iPhone and iPad',
    agent: /iPhone|iPad/,
    steps: (ways) =>
      list(
        html`In Safari, open the <a href="/.btlink/rootca.mobileconfig">profile</a> and allow it. Then Settings › General › VPN &amp; Device Management › the profile › Install.`,
        html`Settings › General › About › Certificate Trust Settings: switch it on. Without this second step nothing changes.`,
        html`Settings › Wi-Fi › ⓘ beside your network › Configure DNS › Manual: ${dnsOf(ways)} alone. Not needed where the router says so already. This is Safari’s secure channel: names lead straight to the box, over https, with no proxy between.`,
        html`Or, instead of DNS: Configure Proxy › Automatic, URL ${code(ways.pacUrl)}.`,
        html`Switch off iCloud Private Relay for this network: Settings › Wi-Fi › ⓘ › Limit IP Address Tracking.`,
        html`Type names with ${code('http://')} or ${code('https://')} in front, or they become a search.`,
      ),
  },
  {
    id: 'android',
    title: 'Android',
    agent: /Android/,
    steps: (ways) =>
      list(
        html`Open the <a href="/.btlink/rootca.crt">certificate</a> to save it. Then Settings › Security › Encryption &amp; credentials › Install a certificate › CA certificate, and choose the file. The names differ a little between makers.`,
        html`Settings › Network &amp; internet › Private DNS: Off or Automatic. With a provider’s name there, the house’s DNS is never asked.`,
        html`Wi-Fi › your network › IP settings › Static, DNS 1 ${dnsOf(ways)}; leave DNS 2 empty. Not needed where the router says so already.`,
        html`Or, instead of DNS: Wi-Fi › your network › Proxy › Proxy Auto-Config, ${code(ways.pacUrl)}. Only browsers heed it.`,
        html`Chrome trusts the certificate at once. Firefox: Settings › About Firefox, tap the logo five times, then Secret Settings › Use third party CA certificates. Other apps never trust certificates of their owner.`,
      ),
  },
  {
    id: 'windows',
    title: 'Windows',
    agent: /Windows/,
    steps: (ways) =>
      list(
        html`Open the <a href="/.btlink/rootca.crt">certificate</a> › Install Certificate › Local Machine › Trusted Root Certification Authorities. Or as administrator: ${commands('certutil -addstore -f Root btlink-rootca.crt')}`,
        html`Close Chrome and Edge wholly and open them again: they read certificates when they start.`,
        html`Settings › Network &amp; internet › your network › DNS server assignment › Manual, IPv4 ${dnsOf(ways)}, DNS over HTTPS off. Not needed where the router says so already.`,
        html`Or, instead of DNS: Settings › Network &amp; internet › Proxy › Use setup script, ${code(ways.pacUrl)}. Chrome takes a changed script after ${code('chrome://net-internals/#proxy')} › Re-apply settings.`,
      ),
  },
  {
    id: 'chromeos',
    title: 'Chromebook',
    agent: /CrOS/,
    steps: (ways) =>
      list(
        html`Save the <a href="/.btlink/rootca.crt">certificate</a>. Then ${code('chrome://certificate-manager')} › Local certificates › Custom › Trusted Certificates › Import.`,
        html`Settings › Network › your network › Proxy › Automatic proxy configuration, ${code(ways.pacUrl)}. Or Network › Name servers › Custom: ${dnsOf(ways)}.`,
        html`Settings › Security and Privacy › Use secure DNS: off, or on “automatic”.`,
      ),
  },
  {
    id: 'macos',
    title: 'macOS',
    agent: /Macintosh/,
    steps: (ways) =>
      list(
        html`Open the <a href="/.btlink/rootca.mobileconfig">profile</a>, then System Settings › General › Device Management › Install. Or: ${commands('sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain btlink-rootca.pem')}`,
        html`System Settings › Network › Details › DNS: ${dnsOf(ways)} alone. Not needed where the router says so already. This is Safari’s secure channel: it knows no https proxy, so names lead straight to the box, over https.`,
        html`Or, instead of DNS: Details › Proxies › Automatic proxy configuration, ${code(ways.pacUrl)}.`,
        html`iCloud Private Relay: Details › Limit IP address tracking off. Restart Chrome after the certificate; Firefox has a section of its own below.`,
      ),
  },
  {
    id: 'linux',
    title: 'Linux',
    agent: /X11|Linux/,
    steps: (ways, tld) =>
      list(
        html`For programs (Debian, Ubuntu): ${commands(`curl -o btlink.crt ${ways.base}/.btlink/rootca.pem
sudo cp btlink.crt /usr/local/share/ca-certificates/
sudo update-ca-certificates`)} On Fedora and Arch: ${code('sudo trust anchor btlink.crt')}.`,
        html`Chromium and Chrome have a store for each user (package ${code('libnss3-tools')}), read when they start: ${commands('certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n btlink -i btlink.crt')}`,
        html`DNS of all of ${code(`.${tld}`)} only, with systemd-resolved: ${commands(`resolvectl dns eth0 ${ways.address ?? 'ADDRESS'}
resolvectl domain eth0 '~${tld}'`)}`,
        html`Or, instead of DNS: GNOME Settings › Network › Proxy › Automatic, ${code(ways.pacUrl)}. For one Chromium: ${code(`chromium --proxy-pac-url=${ways.pacUrl}`)}.`,
      ),
  },
  {
    id: 'firefox',
    title: 'Firefox, on every system',
    steps: (ways, tld) =>
      list(
        html`It has a store of its own. Open the <a href="/.btlink/rootca.pem">certificate</a> in Firefox, tick “Trust this CA to identify websites”. Or Settings › Privacy &amp; Security › Certificates › View Certificates › Authorities › Import. On Windows and macOS it also takes what the system trusts, after a restart.`,
        html`Settings › Privacy &amp; Security › DNS over HTTPS: Off or Default Protection. The box tells it so, but not where you chose a stricter level.`,
        html`Settings › General › Network Settings › Automatic proxy configuration URL: ${code(ways.pacUrl)}. Where the house’s DNS is this box, no proxy is needed.`,
        html`In ${code('about:config')} make ${code(`browser.fixup.domainsuffixwhitelist.${tld}`)} true, or typed names without ${code('http://')} go to a search engine.`,
      ),
  },
  {
    id: 'tv',
    title: 'Television, console, anything with a browser and few settings',
    agent: /SmartTV|SMART-TV|Tizen|Web0S|AppleTV|PlayStation|Xbox|Nintendo/,
    steps: (ways) =>
      list(
        html`Let the router give out the box as DNS server (below), or set DNS by hand in the network settings: ${dnsOf(ways)}.`,
        html`Such devices take no certificate: use ${code('http://')}, which works for every site.`,
        html`Or set the proxy: host ${code(ways.proxyHost)}, port ${code(String(ways.httpPort))}.`,
      ),
  },
  {
    id: 'programs',
    title: 'curl, git, Python, Node',
    steps: (ways, tld) =>
      html`<p>Without changing the machine. The proxy also leads to all other sites.</p>${commands(`curl -o rootca.pem ${ways.base}/.btlink/rootca.pem
curl -x http://${proxyOf(ways)} --cacert rootca.pem https://check.${tld}/
git -c http.proxy=http://${proxyOf(ways)} -c http.sslCAInfo=rootca.pem clone https://NAME.${tld}/repo.git
HTTPS_PROXY=http://${proxyOf(ways)} REQUESTS_CA_BUNDLE=rootca.pem python3 script.py
NODE_EXTRA_CA_CERTS=rootca.pem NODE_USE_ENV_PROXY=1 HTTPS_PROXY=http://${proxyOf(ways)} node script.js`)}<p>${code('--cacert')} replaces what curl trusts; for other sites leave it out. With an https proxy, ${code('--proxy-cacert')} is needed as well.</p>`,
  },
]

/** All of them, the visitor's own first. */
export function deviceGuides(
  ways: Ways,
  { tld, userAgent }: { tld: string; userAgent: string },
): { own: string | undefined; guides: Guide[] } {
  const isFirefox = /Firefox\//.test(userAgent) && !/Android/.test(userAgent)
  const own = isFirefox
    ? 'firefox'
    : ['tv', ...DEVICES.map(({ id }) => id)].find((id) =>
        DEVICES.find((one) => one.id === id)?.agent?.test(userAgent),
      )
  const guides = DEVICES.map(({ id, title, steps }) => ({ id, title, steps: steps(ways, tld) }))
  return { own, guides: guides.toSorted((a, b) => Number(b.id === own) - Number(a.id === own)) }
}
