import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { codeOf } from '../../base/errors.ts'
import { hostOf, parseName } from '../../base/names/index.ts'
import { readListeners } from '../roles/listeners.ts'
import { NotRunning, Refused } from './admin-client.ts'
import { argument, BadUsage, type Verb, valueOf } from './verb.ts'

const MAX_ERROR_BYTES = 64 * 1024

async function gatewayPort(stateDir: string): Promise<number> {
  try {
    const port = (await readListeners(stateDir))['http']?.port
    if (port !== undefined && port > 0) return port
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  throw new NotRunning(stateDir)
}

async function open(
  port: number,
  host: string,
  path: string,
  stateDir: string,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      headers: { host, accept: 'application/json' },
    })
    sent.on('response', resolve)
    sent.on('error', (error) =>
      reject(codeOf(error) === 'ECONNREFUSED' ? new NotRunning(stateDir, { cause: error }) : error),
    )
    sent.end()
  })
}

async function refusal(response: IncomingMessage): Promise<Error> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length <= MAX_ERROR_BYTES) chunks.push(chunk)
  }
  try {
    const { message } = JSON.parse(Buffer.concat(chunks).toString()) as { message: string }
    return new Refused(message)
  } catch {
    return new Refused(`the gateway answered ${response.statusCode}`)
  }
}

/** Beside the file until it is whole: a broken transfer leaves nothing that looks finished. */
async function save(response: IncomingMessage, file: string): Promise<void> {
  const partial = `${file}.part`
  try {
    await pipeline(response, createWriteStream(partial))
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

export const getVerb: Verb = {
  usage: ['get NAME[/PATH] [-o FILE] [--tld TLD]'],
  help: 'Fetches a file of a site or torrent to standard output, or to FILE. A folder gives its index.html or its listing.',
  options: { output: { type: 'string', short: 'o' }, tld: { type: 'string' } },
  takes: [1, 1],
  async run(input) {
    const stateDir = await input.stateDir()
    const text = argument(input, 0)
    const tld = valueOf(input.flags, 'tld') ?? 'btlink'
    const { name, path } = parseName(text, tld)
    if (name.kind === 'root') throw new BadUsage(`"${text.slice(0, 80)}" names no site`)
    const host = name.kind === 'domain' ? name.host : hostOf(name, tld)
    const port = await gatewayPort(stateDir)
    let response = await open(port, host, path, stateDir)
    if (response.statusCode === 308) {
      response.resume()
      response = await open(port, host, `${path}/`, stateDir)
    }
    if ((response.statusCode ?? 500) >= 300) throw await refusal(response)
    const file = valueOf(input.flags, 'output')
    if (file === undefined) await pipeline(response, process.stdout, { end: false })
    else await save(response, file)
  },
}
