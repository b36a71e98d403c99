import type { DnsAnswerView, RecordView } from '../../edges/api/index.ts'
import { ask } from './admin-client.ts'
import { argument, type VerbInput } from './verb.ts'

const SECTIONS = { answers: 'ANSWER', authority: 'AUTHORITY', additional: 'ADDITIONAL' } as const

/** As dig prints them, so that what reads one reads the other. */
const recordLine = ({ name, ttl, class: klass, type, data }: RecordView): string =>
  [name, ttl, klass, type, data].join('\t')

function describe(answer: DnsAnswerView): string {
  const { name, type, rcode, flags, rule, errors, milliseconds, bytes } = answer
  const lines = [
    `;; ${name} ${type}: ${rcode}, flags ${flags.join(' ')}`,
    `;; rule: ${rule ?? 'none answers'}`,
  ]
  for (const { text } of errors) lines.push(`;; because: ${text}`)
  for (const [key, title] of Object.entries(SECTIONS)) {
    const records = answer[key as keyof typeof SECTIONS]
    if (records.length > 0) lines.push('', `;; ${title}`, ...records.map(recordLine))
  }
  lines.push('', `;; ${milliseconds} ms, ${bytes} bytes`)
  return lines.join('\n')
}

/** `dns query NAME [TYPE]` */
export async function query(input: VerbInput): Promise<void> {
  const asked = new URLSearchParams({ name: argument(input, 1) })
  const type = input.positionals[2]
  if (type !== undefined) asked.set('type', type)
  if (input.flags['dnssec'] === true) asked.set('dnssec', 'true')
  const path = `/api/dns?${asked.toString()}`
  const answer = await ask<DnsAnswerView>(await input.stateDir(), 'GET', path)
  input.print(describe(answer), answer)
}
