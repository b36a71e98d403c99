/** Numbers of the DNS registry that the house has words for; any other number is as good. */

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DNAME: 39,
  OPT: 41,
  SVCB: 64,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
} as const

export const CLASS = { IN: 1, CH: 3, ANY: 255 } as const

/** RFC 6762 §10.2 and §5.4: the class has 15 bits in mDNS, the highest bit is a flag. */
export const MDNS_CLASS_FLAG = 0x8000

export const OPCODE = { QUERY: 0 } as const

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** RFC 6891 §6.1.3; the upper bits travel in OPT. */
  BADVERS: 16,
} as const

/** Bits of the second word of the header. */
export const FLAG = {
  /** A response. */
  QR: 0x8000,
  /** Authoritative. */
  AA: 0x0400,
  /** Truncated: ask again over TCP. */
  TC: 0x0200,
  /** Recursion desired. */
  RD: 0x0100,
  /** Recursion available. */
  RA: 0x0080,
  /** Authentic data (RFC 4035). */
  AD: 0x0020,
  /** Checking disabled (RFC 4035). */
  CD: 0x0010,
} as const

export const EDNS_OPTION = {
  /** RFC 7873. */
  COOKIE: 10,
  /** RFC 7828. */
  KEEPALIVE: 11,
  /** RFC 7830. */
  PADDING: 12,
  /** RFC 8914. */
  EXTENDED_ERROR: 15,
} as const

/** Info codes of RFC 8914 §4 in use. */
export const EXTENDED_ERROR = {
  STALE_ANSWER: 3,
  DNSSEC_BOGUS: 6,
  NOT_READY: 14,
  BLOCKED: 15,
  PROHIBITED: 18,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
} as const

/** DNS Flag Day 2020: what passes any path of the internet unfragmented. */
export const SAFE_UDP_BYTES = 1232
/** RFC 1035 §4.2.1: what a client without EDNS takes. */
export const PLAIN_UDP_BYTES = 512
export const MAX_MESSAGE_BYTES = 65_535
export const HEADER_BYTES = 12
