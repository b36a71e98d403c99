/** The errors the source declares, read from its text, so that the page about them cannot lie. */
import { filesBelow, read } from './sources.ts'

export interface DeclaredError {
  code: string
  message: string
  status: number
  file: string
}

const DECLARATION =
  /declareError\(\s*'(BTL_ERR_\w+)',\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"),\s*(\d+)/g

export function declaredErrors(): DeclaredError[] {
  return filesBelow('src', '.ts').flatMap((file) =>
    [...read(file).matchAll(DECLARATION)].map((match) => ({
      code: match[1] ?? '',
      message: (match[2] ?? match[3] ?? '').replaceAll('\\', ''),
      status: Number(match[4]),
      file,
    })),
  )
}

/** docs/errors.md. */
export function errorsPage(): string {
  const rows = declaredErrors()
    .toSorted((a, b) => (a.code < b.code ? -1 : 1))
    .map(({ code, status, message, file }) => {
      const room = file.split('/').slice(1, -1).join('/')
      return `| \`${code}\` | ${status} | ${message.replaceAll('|', '\\|').replaceAll('<', '&lt;')} | ${room} |`
    })
  return [
    '# Errors',
    '',
    'Every code the daemon answers, logs or prints. `%s` stands for the input it is about. Scripts may',
    'rely on the code; the words may change. Written by `npm run docs`.',
    '',
    '| code | status | message | room |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
