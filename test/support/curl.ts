/** HTTP as a person's curl sees it: the real program, from inside a box's network where asked. */
import { execFile } from 'node:child_process'

export interface Answer {
  status: number
  /** Lower-case names; of repeated ones the last. */
  headers: Record<string, string>
  body: Buffer
  text(): string
  json(): unknown
}

export interface CurlOptions {
  netns?: string | undefined
  /** The Host to ask for; the URL says where to connect. */
  host?: string
  headers?: Record<string, string>
  method?: string
  body?: string
  /** Any further switches of curl. */
  more?: string[]
  maxSeconds?: number
}

function parse(raw: Buffer): Answer {
  let rest = raw
  for (;;) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) throw new Error(`not an HTTP answer: ${rest.toString().slice(0, 200)}`)
    const [first = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n')
    const body = rest.subarray(end + 4)
    const status = Number(first.split(' ')[1])
    // An interim answer stands before the real one.
    if (status >= 100 && status < 200) {
      rest = body
      continue
    }
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const colon = line.indexOf(':')
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
    }
    return {
      status,
      headers,
      body,
      text: () => body.toString(),
      json: () => JSON.parse(body.toString()) as unknown,
    }
  }
}

/** One request; any status is an answer, only a broken connection throws. */
export async function curl(url: string, options: CurlOptions = {}): Promise<Answer> {
  const args = ['-sS', '-i', '--path-as-is', '-m', String(options.maxSeconds ?? 30)]
  if (options.method === 'HEAD') args.push('-I')
  else if (options.method !== undefined) args.push('-X', options.method)
  if (options.host !== undefined) args.push('-H', `Host: ${options.host}`)
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    args.push('-H', `${name}: ${value}`)
  }
  if (options.body !== undefined) args.push('--data-binary', options.body)
  args.push(...(options.more ?? []), '--', url)
  const command =
    options.netns === undefined
      ? ['/usr/bin/curl', ...args]
      : ['/usr/sbin/ip', 'netns', 'exec', options.netns, '/usr/bin/curl', ...args]
  const [file = '', ...rest] = command
  return new Promise((resolve, reject) => {
    execFile(file, rest, { encoding: 'buffer', maxBuffer: 1 << 30 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`curl ${url}: ${stderr.toString().trim()}`, { cause: error }))
      else resolve(parse(stdout))
    })
  })
}
