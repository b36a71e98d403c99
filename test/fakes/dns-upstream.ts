/** A DnsUpstream in memory, which knows the tests' zone and what a test tells it. */
import { CLASS, FLAG, RCODE } from '../../src/base/dns/codes.ts'
import { ourEdns } from '../../src/base/dns/edns.ts'
import type { Message, ResourceRecord } from '../../src/base/dns/message.ts'
import { textOfName } from '../../src/base/dns/name.ts'
import { UpstreamUnreachable } from '../../src/engines/upstream-dns/errors.ts'
import type { DnsQuestion, DnsUpstream } from '../../src/base/ports/dns-upstream.ts'
import { answerOfZone } from '../support/dns-zone.ts'

export interface FakeAnswer {
  rcode?: number
  answers?: readonly ResourceRecord[]
  authority?: readonly ResourceRecord[]
  flags?: number
}

/** Given a question, an answer, a failure, or undefined for what the zone says. */
export type Script = (
  question: DnsQuestion,
  signal?: AbortSignal,
) => FakeAnswer | undefined | Promise<FakeAnswer | undefined>

export interface FakeUpstream extends DnsUpstream {
  /** What it was asked, as `name type`. */
  readonly asked: string[]
  script: Script
}

export function createFakeUpstream(script: Script = () => undefined): FakeUpstream {
  let isRunning = false
  let answered = 0
  const asked: string[] = []
  const fake: FakeUpstream = {
    name: 'fake-upstream',
    asked,
    script,
    async start() {
      isRunning = true
    },
    async stop() {
      isRunning = false
    },
    health: () => ({ status: 'ok', score: 100 }),
    async ask(question, signal) {
      signal?.throwIfAborted()
      const shown = textOfName(question.name)
      if (!isRunning) throw new UpstreamUnreachable(shown, 'not started')
      asked.push(`${shown} ${question.type}`)
      const told = await fake.script(question, signal)
      const found = told ?? answerOfZone(question.name, question.type)
      answered++
      const message: Message = {
        id: 0,
        flags: FLAG.QR | FLAG.RD | FLAG.RA | (told?.flags ?? 0),
        rcode: found === undefined ? RCODE.SERVFAIL : (found.rcode ?? RCODE.NOERROR),
        questions: [{ name: question.name, type: question.type, class: CLASS.IN }],
        answers: found?.answers ?? [],
        authority: found?.authority ?? [],
        additional: [],
        edns: ourEdns(),
      }
      return { message, server: 'fake', transport: 'udp', isTrusted: false }
    },
    servers: () => [{ server: 'fake', isUp: true, roundTripMs: 0, answered, failed: 0 }],
    stats: () => ({ answered }),
  }
  return fake
}
