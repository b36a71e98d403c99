/** HTML written so that text is escaped unless it says otherwise, and the one look of plain pages. */

/** Markup that needs no more escaping. */
export interface Html {
  readonly markup: string
}

type Part = Html | string | number | undefined | readonly Html[]

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Safe as text and within quoted attributes. */
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)

/** Markup as it stands: only for constants of the source. */
const trusted = (markup: string): Html => ({ markup })

function write(part: Part): string {
  if (part === undefined) return ''
  if (typeof part === 'string') return escapeHtml(part)
  if (typeof part === 'number') return String(part)
  if ('markup' in part) return part.markup
  return part.map((item) => item.markup).join('')
}

/** html`<p>${text}</p>`: strings are escaped, Html and lists of it are not. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  let markup = strings[0] ?? ''
  parts.forEach((part, i) => {
    markup += write(part) + (strings[i + 1] ?? '')
  })
  return { markup }
}

const STYLE = `:root{color-scheme:light dark;--line:#8884;--dim:#666;--link:#0a58ca}
@media(prefers-color-scheme:dark){:root{--dim:#aaa;--link:#7db3ff}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:.5rem 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
a{color:var(--link);text-decoration:none}a:hover,a:focus{text-decoration:underline}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:600}
th,td{padding:.4rem .5rem;border-bottom:1px solid var(--line)}
.size{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;color:var(--dim)}
.dim{color:var(--dim);font-size:.9rem}code{font-family:ui-monospace,monospace;font-size:.9em}
input,button{font:inherit;padding:.4rem .6rem;max-width:100%;box-sizing:border-box}
label{display:block;margin:.6rem 0}input[type=text]{width:100%}
dt{font-weight:600;margin-top:.6rem}dd{margin:0}`

/** A whole page: readable on a phone, in the dark, and without scripts. */
export function page(title: string, body: Html, head?: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${head}<title>${title}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
${body}
</body>
</html>
`.markup
}
