/** The table of verbs: a name, a line for people, and the file that has it. */
import type { Verb } from './verb.ts'

export interface VerbEntry {
  name: string
  summary: string
  load(): Promise<Verb>
}

export const verbs: readonly VerbEntry[] = [
  {
    name: 'serve',
    summary: 'run the daemon',
    load: async () => (await import('./serve.ts')).serveVerb,
  },
  {
    name: 'publish',
    summary: 'make a folder a site',
    load: async () => (await import('./publish.ts')).publishVerb,
  },
  {
    name: 'sites',
    summary: 'list published, visited and pinned sites',
    load: async () => (await import('./sites.ts')).sitesVerb,
  },
  {
    name: 'versions',
    summary: 'list the versions of a site',
    load: async () => (await import('./sites.ts')).versionsVerb,
  },
  {
    name: 'unpublish',
    summary: 'stop announcing a site',
    load: async () => (await import('./keep.ts')).unpublishVerb,
  },
  {
    name: 'pin',
    summary: 'keep a site or torrent whole',
    load: async () => (await import('./keep.ts')).pinVerb,
  },
  {
    name: 'unpin',
    summary: 'let a pinned site or torrent go',
    load: async () => (await import('./keep.ts')).unpinVerb,
  },
  {
    name: 'resolve',
    summary: 'say where a name leads',
    load: async () => (await import('./resolve.ts')).resolveVerb,
  },
  {
    name: 'get',
    summary: 'fetch a file without a browser',
    load: async () => (await import('./get.ts')).getVerb,
  },
  {
    name: 'peers',
    summary: 'list the peers of a site or torrent',
    load: async () => (await import('./peers.ts')).peersVerb,
  },
  {
    name: 'key',
    summary: 'make and move publishing keys',
    load: async () => (await import('./key.ts')).keyVerb,
  },
  {
    name: 'convert',
    summary: 'convert between encodings',
    load: async () => (await import('./convert.ts')).convertVerb,
  },
  {
    name: 'magnet',
    summary: 'name to magnet link, and back',
    load: async () => (await import('./magnet.ts')).magnetVerb,
  },
  {
    name: 'config',
    summary: 'check, print and document the configuration',
    load: async () => (await import('./config.ts')).configVerb,
  },
  {
    name: 'ca',
    summary: 'show, move and renew the root certificate of the house',
    load: async () => (await import('./ca.ts')).caVerb,
  },
  {
    name: 'gencert',
    summary: 'make a certificate for another server of the house',
    load: async () => (await import('./gencert.ts')).gencertVerb,
  },
  {
    name: 'dns',
    summary: 'ask the resolver, or write the configuration of one in front',
    load: async () => (await import('./dns.ts')).dnsVerb,
  },
  {
    name: 'appliance',
    summary: 'what the units of the image run: first-boot, console, firewall, healthy',
    load: async () => (await import('./appliance.ts')).applianceVerb,
  },
  {
    name: 'update',
    summary: 'update the image, and go back',
    load: async () => (await import('./update.ts')).updateVerb,
  },
  {
    name: 'backup',
    summary: 'put keys, certificates and sites into one locked file, and back',
    load: async () => (await import('./backup.ts')).backupVerb,
  },
  {
    name: 'reset',
    summary: 'forget visits, or everything',
    load: async () => (await import('./reset.ts')).resetVerb,
  },
  {
    name: 'status',
    summary: 'say what the daemon does',
    load: async () => (await import('./status.ts')).statusVerb,
  },
  {
    name: 'health',
    summary: 'say whether it is well',
    load: async () => (await import('./status.ts')).healthVerb,
  },
  {
    name: 'doctor',
    summary: 'say what is wrong and what to do, or mend it',
    load: async () => (await import('./doctor.ts')).doctorVerb,
  },
  {
    name: 'support-bundle',
    summary: 'gather facts for whoever helps, without secrets',
    load: async () => (await import('./support-bundle.ts')).supportBundleVerb,
  },
]
