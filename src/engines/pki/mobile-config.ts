/** A configuration profile with one root certificate, as iOS, iPadOS and macOS install it. */
import { createHash } from 'node:crypto'

/** A UUID of version 8 (RFC 9562 §5.8) that says the same root and purpose every time. */
function uuidOf(sha256: string, purpose: string): string {
  const bytes = createHash('sha256').update(`${purpose} ${sha256}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = bytes.toString('hex').toUpperCase()
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const lines = (base64: string, indent: string): string =>
  base64.replace(/.{1,64}/g, (line) => `${indent}${line}\n`)

/** @param root its common name, its DER in `raw`, and the SHA-256 of that in hex */
export function mobileConfig(root: { name: string; raw: Uint8Array; sha256: string }): string {
  const { name, raw, sha256 } = root
  const identifier = `btlink.root.${sha256.slice(0, 16)}`
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>PayloadContent</key>
  <array>
    <dict>
      <key>PayloadCertificateFileName</key>
      <string>rootca.cer</string>
      <key>PayloadContent</key>
      <data>
${lines(Buffer.from(raw).toString('base64'), '      ')}      </data>
      <key>PayloadDisplayName</key>
      <string>${escaped(name)}</string>
      <key>PayloadIdentifier</key>
      <string>${identifier}.certificate</string>
      <key>PayloadType</key>
      <string>com.apple.security.root</string>
      <key>PayloadUUID</key>
      <string>${uuidOf(sha256, 'certificate')}</string>
      <key>PayloadVersion</key>
      <integer>1</integer>
    </dict>
  </array>
  <key>PayloadDescription</key>
  <string>Lets this device open btlink sites of this household over https. The certificate can vouch for nothing else.</string>
  <key>PayloadDisplayName</key>
  <string>${escaped(name)}</string>
  <key>PayloadIdentifier</key>
  <string>${identifier}</string>
  <key>PayloadOrganization</key>
  <string>btlink</string>
  <key>PayloadRemovalDisallowed</key>
  <false/>
  <key>PayloadType</key>
  <string>Configuration</string>
  <key>PayloadUUID</key>
  <string>${uuidOf(sha256, 'profile')}</string>
  <key>PayloadVersion</key>
  <integer>1</integer>
</dict>
</plist>
`
}
