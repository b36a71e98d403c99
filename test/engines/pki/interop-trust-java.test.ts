import { join } from 'node:path'
import { describe, it } from 'node:test'
import { missing, output } from '../../support/processes.ts'
import { tempFolder } from '../../support/temp.ts'
import { compare, trustCases } from './trust-cases.ts'

const JAVA = '/usr/bin/java'
const KEYTOOL = '/usr/bin/keytool'
// It compiles the probe, which the run-time package alone cannot do.
const JAVAC = '/usr/bin/javac'
const PROBE = join(import.meta.dirname, 'trust-probe.java')

describe('Java', { skip: missing(JAVA, KEYTOOL, JAVAC) }, () => {
  it('takes the sites of this box and refuses the rest, although it ignores constraints of roots', async (t) => {
    const { cases, rootFile } = await trustCases(t)
    const store = join(await tempFolder(t), 'trust.p12')
    const password = 'changeit'
    const kind = ['-keystore', store, '-storetype', 'PKCS12', '-storepass', password]
    await output(KEYTOOL, [
      '-importcert',
      '-noprompt',
      '-alias',
      'btlink',
      '-file',
      rootFile,
      ...kind,
    ])
    const text = await output(
      JAVA,
      [
        `-Djavax.net.ssl.trustStore=${store}`,
        `-Djavax.net.ssl.trustStorePassword=${password}`,
        '-XX:TieredStopAtLevel=1',
        PROBE,
        ...cases.map(({ host, port }) => `${host}:${port}`),
      ],
      { timeoutMs: 60_000 },
    )
    const lines = text.trimEnd().split('\n')
    const forJava = cases.map((one) => ({ ...one, isGood: one.isGoodForJava }))
    await compare(forJava, async (one) => {
      const line = lines[forJava.indexOf(one)] ?? 'not asked'
      return { taken: line === 'taken', reason: line }
    })
  })
})
