/** The engine's configuration as tests want it: short waits, nothing of the machine. */
import { silentLog } from '../../../src/base/ports/log.ts'
import type { DnsUpstream } from '../../../src/base/ports/dns-upstream.ts'
import {
  createDnsUpstream,
  type UpstreamDnsConfig,
  type UpstreamDnsDeps,
} from '../../../src/engines/upstream-dns/index.ts'
import { type Cleanup, finallyDo } from '../../support/temp.ts'

export const testConfig = (changes: Partial<UpstreamDnsConfig> = {}): UpstreamDnsConfig => ({
  servers: [],
  fallback: [],
  bootstrap: [],
  routes: [],
  strategy: 'strict',
  timeout: 5000,
  try_timeout: 1500,
  retry_after: 5000,
  max_in_flight: 256,
  randomize_case: true,
  ca_file: '',
  ...changes,
})

/** Not started. */
export const createTestUpstream = (
  changes: Partial<UpstreamDnsConfig>,
  deps: Partial<UpstreamDnsDeps> = {},
): DnsUpstream =>
  createDnsUpstream(
    { log: silentLog, readResolvConf: async () => '', ...deps },
    testConfig(changes),
  )

/** Started, and stopped when the test ends. */
export async function startUpstream(
  t: Cleanup,
  changes: Partial<UpstreamDnsConfig>,
  deps: Partial<UpstreamDnsDeps> = {},
): Promise<DnsUpstream> {
  const upstream = createTestUpstream(changes, deps)
  finallyDo(t, async () => upstream.stop())
  await upstream.start(new AbortController().signal)
  return upstream
}
