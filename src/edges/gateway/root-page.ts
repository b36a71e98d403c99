/** The box's own page: open a name, upload files, and how to set up a device. Plain HTML that needs no scripts. */
import { formatSize } from '../../base/units.ts'
import { html, page } from '../http/index.ts'
import { DEFAULT_UPLOAD_NAME } from './upload.ts'

export interface RootFacts {
  tld: string
  /** `btlink.localhost:42080`: what site hosts end in when reached as this page was. */
  rootAuthority: string
  mayUpload: boolean
  maxBytes: number
}

const uploader = (
  maxBytes: number,
) => html`<form method="post" action="/" enctype="multipart/form-data">
<label>Title<input type="text" name="name" placeholder="${DEFAULT_UPLOAD_NAME}" maxlength="255"></label>
<label><input type="checkbox" name="strip-top-directory" value="1" checked> Leave out the name of a chosen folder</label>
<label>Files<br><input type="file" name="files" multiple></label>
<label>A folder<br><input type="file" name="files" webkitdirectory multiple></label>
<p><button>Upload</button> <span class="dim">up to ${formatSize(maxBytes)} at once</span></p>
</form>
<p class="dim">Uploads become a torrent that this box seeds. Everybody who has its infohash can read it, for ever.</p>`

export function rootPage({ tld, rootAuthority, mayUpload, maxBytes }: RootFacts): string {
  return page(
    `${tld} gateway`,
    html`<h1>${tld} gateway</h1>
<h2>Open</h2>
<form method="get" action="/go">
<label>Name, infohash or magnet link<input type="text" name="to" required autocomplete="off" autocapitalize="off" spellcheck="false"></label>
<p><button>Open</button></p>
</form>
<h2>Upload</h2>
${mayUpload ? uploader(maxBytes) : html`<p>Uploads are not taken from this device.</p>`}
<h2>Names</h2>
<dl>
<dt><code>&lt;infohash&gt;-ih.${rootAuthority}</code></dt><dd>One torrent, for ever the same: 40 hex digits.</dd>
<dt><code>&lt;key&gt;-pk.${rootAuthority}</code></dt><dd>A site that its owner updates: the public key in base36, with <code>&lt;salt&gt;.</code> before it for further sites of the same owner.</dd>
<dt><code>&lt;target&gt;-44.${rootAuthority}</code></dt><dd>One small item of the DHT.</dd>
</dl>
<h2>Devices</h2>
<p><a href="/.btlink/setup">Set up a device</a> · <a href="/.btlink/check">See what works here</a> · <a href="/.btlink/my">You and this box</a></p>
<p><img src="/.btlink/qr.svg" width="160" height="160" alt="QR code of the page that sets up a device"></p>
<p>On the machine of this box, names under <code>${tld}.localhost</code> work in every browser. On other devices, names that end in <code>.${tld}</code> need one of these:</p>
<dl>
<dt>DNS</dt><dd>This box as the only DNS server, best given out by the router.</dd>
<dt>Proxy script</dt><dd><a href="/.btlink/proxy.pac"><code>/.btlink/proxy.pac</code></a> of this box, in the browser’s or the system’s proxy settings.</dd>
<dt>Proxy</dt><dd>This box as HTTP proxy, at the port of this page.</dd>
</dl>
<p>For <code>https</code>, the <a href="/.btlink/setup#certificate">certificate</a> of this box as well. Programs may also connect here and name the site in the Host header.</p>`,
  )
}

export interface UploadFacts {
  infoHash: string
  url: string
  magnet: string
  files: number
  totalLength: number
}

export function uploadedPage({ infoHash, url, magnet, files, totalLength }: UploadFacts): string {
  return page(
    'Uploaded',
    html`<h1>Uploaded</h1>
<p>${files === 1 ? '1 file' : `${files} files`}, ${formatSize(totalLength)}.</p>
<dl>
<dt>Infohash</dt><dd><code id="infohash">${infoHash}</code></dd>
<dt>View on this gateway</dt><dd><a id="view" href="${url}">${url}</a></dd>
<dt>Magnet link</dt><dd><a id="magnet" href="${magnet}">${magnet}</a></dd>
</dl>
<p><a href="/">Back</a></p>`,
  )
}
