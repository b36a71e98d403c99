import { askTrust } from './trust-client.ts'
import { writeSecretFile } from './secrets.ts'
import { type Verb, valueOf } from './verb.ts'

interface Issued {
  /** PEM: the leaf, then its issuer. */
  cert: string
  key: string
  hosts: string[]
  notAfter: string
}

const MAX_HOSTS = 100

export const gencertVerb: Verb = {
  usage: ['gencert HOST [SAN…] [-o FILE]'],
  help: `Prints a certificate for another server of this house, with its issuer and a key of its own, as PEM.
Hosts are those the root vouches for: names under the top-level domain, pki.box_names, link domains.
-o writes FILE instead, readable for its owner alone.`,
  options: { output: { type: 'string', short: 'o' } },
  takes: [1, MAX_HOSTS],
  async run(input) {
    const hosts = input.positionals
    const issued = await askTrust<Issued>(input, 'POST', '/api/trust/leaf', { hosts })
    const pem = issued.cert + issued.key
    const file = valueOf(input.flags, 'output')
    if (file === undefined) {
      input.print(pem.trimEnd(), issued)
      return
    }
    await writeSecretFile(file, pem)
    const { notAfter } = issued
    input.print(`${file}: ${issued.hosts.join(', ')}, until ${notAfter.slice(0, 10)}`, {
      file,
      hosts: issued.hosts,
      notAfter,
    })
  },
}
