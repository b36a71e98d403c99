/** Hosts that are this box's business, whoever asks by whatever way. */

/** Names of the box below the top-level domain that are no names of content. */
export const boxHosts = (tld: string): string[] =>
  ['setup', 'check', 'my', 'proxy'].map((label) => `${label}.${tld}`)

/**
 * Whether the gateway answers for a host: everything under the top-level domain, sound or not, so that
 * it can say what is wrong, also below its own names and `localhost`.
 * @returns a function of a host in lower case, without port and trailing dot
 */
export function createServedHosts(tld: string, gatewayDomains: readonly string[]) {
  const roots = [tld, ...['localhost', ...gatewayDomains].map((domain) => `${tld}.${domain}`)]
  const own = new Set(gatewayDomains.map((domain) => domain.toLowerCase()))
  return (host: string): boolean =>
    own.has(host) ||
    roots.some(
      (root) =>
        host.endsWith(root) && (host.length === root.length || host.at(-root.length - 1) === '.'),
    )
}
