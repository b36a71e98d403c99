/** What must not be seen: passphrases on their way in, keys on their way out. */
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { writeDurably } from '../../base/durable-file.ts'
import { codeOf, declareError, messageOf } from '../../base/errors.ts'
import { BadUsage, type Flags, valueOf } from './verb.ts'

export const UnusableFile = declareError('BTL_ERR_CLI_UNUSABLE_FILE', 'cannot %s %s: %s', 400)

/** Longer than any that `ca export` takes. */
const MAX_SECRET_BYTES = 4096

/** What a person types at the terminal, one line a question; it is shown nowhere. */
async function typed(questions: readonly string[]): Promise<string[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, written) => written() })
  // The terminal must stop showing before anybody is asked, and not begin again in between.
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  const given = new AbortController()
  lines.once('SIGINT', () => given.abort())
  lines.once('close', () => given.abort())
  const answers: string[] = []
  try {
    for (const question of questions) {
      process.stderr.write(question)
      answers.push(await lines.question('', { signal: given.signal }))
      process.stderr.write('\n')
    }
    return answers
  } catch (error) {
    process.stderr.write('\n')
    throw new BadUsage('no passphrase was given', { cause: error })
  } finally {
    lines.close()
  }
}

async function firstLineOfInput(): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > MAX_SECRET_BYTES) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

export async function readText(file: string, maxBytes: number): Promise<string> {
  try {
    const handle = await open(file, 'r')
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(maxBytes + 1))
      if (bytesRead > maxBytes) throw new UnusableFile('read', file, `over ${maxBytes} bytes`)
      return buffer.toString('utf8', 0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof UnusableFile) throw error
    throw new UnusableFile('read', file, codeOf(error) ?? messageOf(error), { cause: error })
  }
}

/**
 * From `--passphrase-file`, stdin, or the terminal; never from an argument, which every process sees.
 * @param twice a new one: a slip of the fingers would lock the export for ever
 */
export async function readPassphrase(flags: Flags, twice: boolean): Promise<string> {
  const file = valueOf(flags, 'passphrase-file')
  let secret: string
  if (file !== undefined) secret = await readText(file, MAX_SECRET_BYTES)
  else if (process.stdin.isTTY) {
    const questions = twice ? ['Passphrase: ', 'The same again: '] : ['Passphrase: ']
    const [first = '', ...again] = await typed(questions)
    if (again.some((one) => one !== first)) {
      throw new BadUsage('the two passphrases are not the same')
    }
    secret = first
  } else secret = await firstLineOfInput()
  const [line = ''] = secret.split(/\r?\n/, 1)
  if (line === '') {
    throw new BadUsage('no passphrase: give one on stdin or with --passphrase-file FILE')
  }
  return line
}

/** Asks a person who did not say --yes. */
export async function confirm(
  flags: Flags,
  what: string,
  signal = new AbortController().signal,
): Promise<void> {
  if (flags['yes'] === true) return
  if (!process.stdin.isTTY) throw new BadUsage(`${what} Say --yes if that is meant`)
  // The kernel edits the line: a terminal in raw mode that goes away ends the process.
  const lines = createInterface({
    input: process.stdin,
    output: process.stderr,
    terminal: false,
  })
  // Of a terminal that goes away a question hears nothing.
  const gone = new AbortController()
  lines.once('close', () => gone.abort(new BadUsage('nothing was changed')))
  try {
    const either = AbortSignal.any([signal, gone.signal])
    const answer = await lines
      .question(`${what} Type yes to go on: `, { signal: either })
      .catch((error: unknown) => {
        throw either.aborted ? either.reason : error
      })
    if (answer.trim().toLowerCase() !== 'yes') throw new BadUsage('nothing was changed')
  } finally {
    lines.close()
  }
}

/** Readable for its owner alone, whatever was there before; whole or not at all. */
export async function writeSecretFile(file: string, text: string): Promise<void> {
  const fresh = `${file}.${randomBytes(4).toString('hex')}.new`
  try {
    await writeDurably(file, text, { mode: 0o600, fresh, flag: 'wx' })
  } catch (error) {
    throw new UnusableFile('write', file, codeOf(error) ?? messageOf(error), { cause: error })
  }
}
