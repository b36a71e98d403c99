import type { Sha256 } from '../hashes.ts'
import type { Component, Stats } from './component.ts'

/** Whose certificates: those of btlink names, or those of ordinary domains with link records. */
export type Realm = 'names' | 'links'

/** A certificate for a host, as `tls.createSecureContext` takes it. */
export interface Leaf {
  /** PEM: the leaf, then its issuer. The root is not among them. */
  cert: string
  /** PEM, PKCS #8. */
  key: string
  /** Its subject alternative names, the host asked for first. */
  hosts: readonly string[]
  /** Unix time in ms. */
  notAfter: number
}

/** What a device of the household is asked to trust. */
export interface RootCertificate {
  /** The common name, different on every box. */
  name: string
  pem: string
  der: Uint8Array
  /** Of `der`: what devices show as the SHA-256 fingerprint. */
  sha256: Sha256
  /** The first 80 bits of `sha256` to read aloud: one word a byte. */
  words: readonly string[]
  /** A configuration profile for Apple devices; the same bytes for the same root. */
  mobileConfig: string
  /** DNS subtrees that it can vouch for; nothing else, and no address. */
  permitted: readonly string[]
  /** Unix time in ms. */
  notAfter: number
}

/** Ordinary domains, with link records, whose sites get https from a root of their own. */
export interface LinkDomains {
  /** Named in the configuration. */
  configured: readonly string[]
  /** Named by the owner since, and kept beside the authorities. */
  stated: readonly string[]
}

/** Certificates for the hosts this box serves. A disk that fails is an error of the call, never of `start`. */
export interface CertIssuer extends Component {
  /**
   * The leaf for one host. While it is cached the same object is returned, so that what was made of
   * it can be kept beside it.
   * @param host as in SNI; case and one trailing dot do not matter
   * @throws BTL_ERR_PKI_FOREIGN_NAME for hosts this box does not serve, BTL_ERR_PKI_TOO_FAST,
   *   BTL_ERR_PKI_NOT_READY, BTL_ERR_PKI_EXPIRED
   */
  leaf(host: string, signal?: AbortSignal): Promise<Leaf>
  /**
   * The leaf for clients that name no host: the top-level label and the box's own names. It has no
   * addresses: the root forbids them, and with one in it clients would refuse the names as well.
   */
  fallback(signal?: AbortSignal): Promise<Leaf>
  /** Whether a host, lower case without trailing dot, is one that `leaf` makes certificates for. */
  vouchesFor(host: string): boolean
  /** @throws BTL_ERR_PKI_NO_AUTHORITY for `links` while there is no link domain */
  root(realm?: Realm, signal?: AbortSignal): Promise<RootCertificate>
  stats(): Stats
}

/** A `CertIssuer` as its owner commands it. */
export interface CertAuthority extends CertIssuer {
  /** A leaf with a key of its own, for another server; all hosts of one realm. */
  issue(hosts: readonly string[], signal?: AbortSignal): Promise<Leaf>
  /** A new root: every device has to trust it anew. The former one is kept until `forget`. */
  rotate(realm: Realm, signal?: AbortSignal): Promise<RootCertificate>
  /** Roots replaced by `rotate` or `importAuthority`, newest first. */
  former(realm: Realm, signal?: AbortSignal): Promise<RootCertificate[]>
  /** Removes the former ones with their keys for ever; gives how many there were. */
  forget(realm: Realm, signal?: AbortSignal): Promise<number>
  /**
   * Root, intermediates and their keys as text that only `passphrase` opens.
   * @param sha256 of a former root; without it the one in force
   */
  exportAuthority(
    realm: Realm,
    passphrase: string,
    options?: { sha256?: Sha256 },
    signal?: AbortSignal,
  ): Promise<string>
  /** Puts an exported authority in force, so that several boxes share one root. */
  importAuthority(text: string, passphrase: string, signal?: AbortSignal): Promise<RootCertificate>
  linkDomains(signal?: AbortSignal): Promise<LinkDomains>
  /**
   * Gives domains https. The second root is made for them; where one does not vouch for all, another
   * replaces it, which every device has to trust anew.
   * @throws BTL_ERR_PKI_BAD_SETTING, BTL_ERR_PKI_TOO_MANY_DOMAINS
   */
  addLinkDomains(domains: readonly string[], signal?: AbortSignal): Promise<RootCertificate>
  /**
   * Takes https from domains that the owner had named, without `domains` from all of them. With the
   * last one go the second root, those before it and their keys, for ever.
   * @throws BTL_ERR_PKI_CONFIGURED_DOMAIN for those of the configuration
   */
  removeLinkDomains(domains?: readonly string[], signal?: AbortSignal): Promise<LinkDomains>
}
