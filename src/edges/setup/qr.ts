/** A QR code as a picture that needs no file of its own. */
import { html, type Html } from '../http/index.ts'

// ISO/IEC 18004 §5.3.8: scanners want four light modules around.
const BORDER = 4

/** Black on white in the dark too: many scanners cannot read it the other way round. */
export async function qrSvg(text: string, title: string): Promise<Html> {
  // Loaded when the first page is asked for, as most processes never draw one.
  const { encode } = await import('uqr')
  const { size, data } = encode(text, { ecc: 'M', border: BORDER })
  const path = data
    .flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')))
    .join('')
  return html`<svg class="qr" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges" role="img"><title>${title}</title><rect width="100%" height="100%" fill="#fff"/><path fill="#000" d="${path}"/></svg>`
}
