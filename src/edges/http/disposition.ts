/** Content-Disposition with a name in any script (RFC 6266, RFC 8187). */

// RFC 8187 §3.2.1: attr-char; encodeURIComponent leaves these five as they are, they must not be.
const LEFT_OVER = /['()*!]/g

const extended = (name: string): string =>
  encodeURIComponent(name).replace(
    LEFT_OVER,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** @param name file name without folders; lone surrogates are replaced */
export function contentDisposition(kind: 'inline' | 'attachment', name: string): string {
  const whole = name.toWellFormed().slice(0, 255).toWellFormed()
  // Old clients read only this form: plain ASCII, no escapes they would misread.
  const plain = whole.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  return plain === whole
    ? `${kind}; filename="${plain}"`
    : `${kind}; filename="${plain}"; filename*=UTF-8''${extended(whole)}`
}
