/**
 * What clients really send: recorded on loopback from Debian 12's packages (and the npm package
 * bittorrent-tracker), except uTorrent, which is written after its documented form as it runs on no
 * machine of ours. Over UDP the connection id is the recorder's, 0123456789abcdef.
 */

export interface RecordedClient {
  program: string
  /** As stats() calls it. */
  name: string
  started: string
  stopped: string
}

/** Whole requests, one character a byte. */
export const HTTP_ANNOUNCES: readonly RecordedClient[] = [
  {
    program: 'aria2 1.36.0',
    name: 'aria2',
    started:
      'GET /announce?info_hash=%1E%8E%7F%FE%25%2Cw%F3n%2A%3DL%DD%12%D1%BBQ%E7%22%00&peer_id=A2-1-36-0-%BB%DE%07A%28%BB%B6%FD%B9a&uploaded=0&downloaded=0&left=100000&compact=1&key=%07A%28%BB%B6%FD%B9a&numwant=50&no_peer_id=1&port=17101&event=started&supportcrypto=1 HTTP/1.1\r\nUser-Agent: aria2/1.36.0\r\nAccept: */*\r\nHost: 127.0.0.1:17000\r\nWant-Digest: SHA-512;q=1, SHA-256;q=1, SHA;q=0.1\r\n\r\n',
    stopped:
      'GET /announce?info_hash=%1E%8E%7F%FE%25%2Cw%F3n%2A%3DL%DD%12%D1%BBQ%E7%22%00&peer_id=A2-1-36-0-%BB%DE%07A%28%BB%B6%FD%B9a&uploaded=0&downloaded=0&left=100000&compact=1&key=%07A%28%BB%B6%FD%B9a&numwant=0&no_peer_id=1&port=17101&event=stopped&supportcrypto=1 HTTP/1.1\r\nUser-Agent: aria2/1.36.0\r\nAccept: */*\r\nHost: 127.0.0.1:17000\r\nWant-Digest: SHA-512;q=1, SHA-256;q=1, SHA;q=0.1\r\n\r\n',
  },
  {
    program: 'libtorrent 2.0.8',
    name: 'libtorrent',
    started:
      'GET /announce?info_hash=%c7%5d%d5F%82%e02%e4%a9%07%fc%5d%ee%f5%5e%89%18h%93_&peer_id=-LT2080-am!Qa)rh*L~F&port=17102&uploaded=0&downloaded=0&left=100000&corrupt=0&key=ECD1A985&event=started&numwant=200&compact=1&no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\r\nHost: 127.0.0.1:17010\r\nUser-Agent: libtorrent/2.0.8.0\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
    stopped:
      'GET /announce?info_hash=%c7%5d%d5F%82%e02%e4%a9%07%fc%5d%ee%f5%5e%89%18h%93_&peer_id=-LT2080-am!Qa)rh*L~F&port=17102&uploaded=0&downloaded=0&left=100000&corrupt=0&key=ECD1A985&event=stopped&numwant=0&compact=1&no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\r\nHost: 127.0.0.1:17010\r\nUser-Agent: libtorrent/2.0.8.0\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
  },
  {
    program: 'Transmission 3.00',
    name: 'transmission',
    started:
      'GET /announce?info_hash=%c7%5d%d5F%82%e02%e4%a9%07%fc%5d%ee%f5%5e%89%18h%93_&peer_id=-TR3000-tuwptneclhb9&port=17103&uploaded=0&downloaded=0&left=100000&numwant=80&key=36c36875&compact=1&supportcrypto=1&event=started HTTP/1.1\r\nHost: 127.0.0.1:17020\r\nUser-Agent: Transmission/3.00\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n\r\n',
    stopped:
      'GET /announce?info_hash=%c7%5d%d5F%82%e02%e4%a9%07%fc%5d%ee%f5%5e%89%18h%93_&peer_id=-TR3000-tuwptneclhb9&port=17103&uploaded=0&downloaded=0&left=100000&numwant=0&key=36c36875&compact=1&supportcrypto=1&event=stopped HTTP/1.1\r\nHost: 127.0.0.1:17020\r\nUser-Agent: Transmission/3.00\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n\r\n',
  },
  {
    program: 'qBittorrent 4.5.2',
    name: 'qbittorrent',
    started:
      'GET /announce?info_hash=%e4%c6%aa%ff%c6%e5%5b%f5%93%d8%92%d4%9f%12%09%3efy)%b8&peer_id=-qB4520-lIeayeHSVC4w&port=17104&uploaded=0&downloaded=0&left=100000&corrupt=0&key=EEB2B587&event=started&numwant=200&compact=1&no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\r\nHost: 127.0.0.1:17030\r\nUser-Agent: qBittorrent/4.5.2\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
    stopped:
      'GET /announce?info_hash=%e4%c6%aa%ff%c6%e5%5b%f5%93%d8%92%d4%9f%12%09%3efy)%b8&peer_id=-qB4520-lIeayeHSVC4w&port=17104&uploaded=0&downloaded=0&left=100000&corrupt=0&key=EEB2B587&event=stopped&numwant=0&compact=1&no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\r\nHost: 127.0.0.1:17030\r\nUser-Agent: qBittorrent/4.5.2\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
  },
  {
    program: 'Deluge 2.0.3',
    name: 'deluge',
    started:
      'GET /announce?info_hash=%c7%5d%d5F%82%e02%e4%a9%07%fc%5d%ee%f5%5e%89%18h%93_&peer_id=-DE203s-OfjExvCI1yPV&port=50310&uploaded=0&downloaded=0&left=100000&corrupt=0&key=0B576C3F&event=started&numwant=200&compact=1&no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\r\nHost: 127.0.0.1:17040\r\nUser-Agent: Deluge/2.0.3 libtorrent/2.0.8.0\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
    stopped:
      'GET /announce?info_hash=%c7%5d%d5F%82%e02%e4%a9%07%fc%5d%ee%f5%5e%89%18h%93_&peer_id=-DE203s-OfjExvCI1yPV&port=50310&uploaded=0&downloaded=0&left=100000&corrupt=0&key=0B576C3F&event=stopped&numwant=0&compact=1&no_peer_id=1&supportcrypto=1&redundant=0 HTTP/1.1\r\nHost: 127.0.0.1:17040\r\nUser-Agent: Deluge/2.0.3 libtorrent/2.0.8.0\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
  },
  {
    program: 'rTorrent 0.9.8',
    name: 'rtorrent',
    started:
      'GET /announce?info_hash=%C7%5D%D5F%82%E02%E4%A9%07%FC%5D%EE%F5%5E%89%18h%93%5F&peer_id=-lt0D80-h%E5%C6%FA%F6%1C%1F%87%CCz%04%06&key=4fbb467a&compact=1&port=17106&uploaded=0&downloaded=0&left=100000&event=started HTTP/1.1\r\nHost: 127.0.0.1:17050\r\nUser-Agent: rtorrent/0.9.8/0.13.8\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n\r\n',
    stopped:
      'GET /announce?info_hash=%C7%5D%D5F%82%E02%E4%A9%07%FC%5D%EE%F5%5E%89%18h%93%5F&peer_id=-lt0D80-h%E5%C6%FA%F6%1C%1F%87%CCz%04%06&key=4fbb467a&compact=1&port=17106&uploaded=0&downloaded=0&left=100000&event=stopped HTTP/1.1\r\nHost: 127.0.0.1:17050\r\nUser-Agent: rtorrent/0.9.8/0.13.8\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n\r\n',
  },
  {
    program: 'bittorrent-tracker 11.2.3',
    name: 'webtorrent',
    started:
      'GET /announce?uploaded=0&downloaded=0&left=100000&numwant=50&event=started&compact=1&info_hash=%E4%C6%AA%FF%C6%E5%5B%F5%93%D8%92%D4%9F%12%09%3Efy%29%B8&peer_id=-WW0208-123456789012&port=17107 HTTP/1.1\r\nhost: 127.0.0.1:17060\r\nconnection: keep-alive\r\nuser-agent: \r\naccept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\naccept-encoding: gzip, deflate\r\n\r\n',
    stopped:
      'GET /announce?numwant=50&uploaded=0&downloaded=0&event=stopped&compact=1&info_hash=%E4%C6%AA%FF%C6%E5%5B%F5%93%D8%92%D4%9F%12%09%3Efy%29%B8&peer_id=-WW0208-123456789012&port=17107&left=16384 HTTP/1.1\r\nhost: 127.0.0.1:17060\r\nconnection: keep-alive\r\nuser-agent: \r\naccept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\naccept-encoding: gzip, deflate\r\n\r\n',
  },
  {
    program: 'uTorrent 3.5.5',
    name: 'utorrent',
    started:
      'GET /announce?info_hash=%c7%5d%d5F%82%e02%e4%a9%07%fc%5d%ee%f5%5e%89%18h%93_&peer_id=-UT355S-%bf%b3%3e%81%d2%0fK%8aq%ee%06%a1&port=50321&uploaded=0&downloaded=0&left=100000&corrupt=0&key=8E2F01AC&event=started&numwant=200&compact=1&no_peer_id=1&ipv6=2001%3adb8%3a%3a5 HTTP/1.1\r\nHost: 127.0.0.1:6969\r\nUser-Agent: uTorrent/355(111915134)(45988)\r\nAccept-Encoding: gzip\r\nConnection: Close\r\n\r\n',
    stopped:
      'GET /announce?info_hash=%c7%5d%d5F%82%e02%e4%a9%07%fc%5d%ee%f5%5e%89%18h%93_&peer_id=-UT355S-%bf%b3%3e%81%d2%0fK%8aq%ee%06%a1&port=50321&uploaded=0&downloaded=0&left=100000&corrupt=0&key=8E2F01AC&event=stopped&numwant=0&compact=1&no_peer_id=1&ipv6=2001%3adb8%3a%3a5 HTTP/1.1\r\nHost: 127.0.0.1:6969\r\nUser-Agent: uTorrent/355(111915134)(45988)\r\nAccept-Encoding: gzip\r\nConnection: Close\r\n\r\n',
  },
]

/** Whole datagrams in hex. */
export const UDP_ANNOUNCES: readonly RecordedClient[] = [
  {
    program: 'aria2 1.36.0',
    name: 'aria2',
    started:
      '0123456789abcdef000000012ee44e20c75dd54682e032e4a907fc5deef55e891868935f41322d312d33362d302ddfb4a5d6c84a51b4945c000000000000000000000000000186a0000000000000000000000002000000002b61d5c40000003242cd0000',
    stopped:
      '0123456789abcdef00000001537ca291c75dd54682e032e4a907fc5deef55e891868935f41322d312d33362d302ddfb4a5d6c84a51b4945c000000000000000000000000000186a000000000000000000000000300000000763f88a20000000042cd0000',
  },
  {
    program: 'libtorrent 2.0.8',
    name: 'libtorrent',
    started:
      '0123456789abcdef0000000110ff64ebe4c6aaffc6e55bf593d892d49f12093e667929b82d4c54323038302d753942514b79684568385339000000000000000000000000000186a000000000000000000000000200000000352fbbd9000000c842ce02092f616e6e6f756e6365',
    stopped:
      '0123456789abcdef0000000198bd5721e4c6aaffc6e55bf593d892d49f12093e667929b82d4c54323038302d753942514b79684568385339000000000000000000000000000186a000000000000000000000000300000000352fbbd90000000042ce02092f616e6e6f756e6365',
  },
  {
    program: 'Transmission 3.00',
    name: 'transmission',
    started:
      '0123456789abcdef000000018ce7cc43c75dd54682e032e4a907fc5deef55e891868935f2d5452333030302d74757770746e65636c686239000000000000000000000000000186a00000000000000000000000020000000036c368750000005042cf',
    stopped:
      '0123456789abcdef00000001e6c61836c75dd54682e032e4a907fc5deef55e891868935f2d5452333030302d74757770746e65636c686239000000000000000000000000000186a00000000000000000000000030000000036c368750000000042cf',
  },
  {
    program: 'Deluge 2.0.3',
    name: 'deluge',
    started:
      '0123456789abcdef000000016e94c6bac75dd54682e032e4a907fc5deef55e891868935f2d4445323033732d3155367636702a4a70515642000000000000000000000000000186a000000000000000000000000200000000daf22146000000c8f0f402092f616e6e6f756e6365',
    stopped:
      '0123456789abcdef00000001158ffeb7c75dd54682e032e4a907fc5deef55e891868935f2d4445323033732d3155367636702a4a70515642000000000000000000000000000186a000000000000000000000000300000000daf2214600000000f0f402092f616e6e6f756e6365',
  },
  {
    program: 'qBittorrent 4.5.2',
    name: 'qbittorrent',
    started:
      '0123456789abcdef00000001dfd299fde4c6aaffc6e55bf593d892d49f12093e667929b82d7142343532302d6c4965617965485356433477000000000000000000000000000186a000000000000000000000000200000000eeb2b587000000c842d002092f616e6e6f756e6365',
    stopped:
      '0123456789abcdef000000012617f5a8e4c6aaffc6e55bf593d892d49f12093e667929b82d7142343532302d6c4965617965485356433477000000000000000000000000000186a000000000000000000000000300000000eeb2b5870000000042d002092f616e6e6f756e6365',
  },
  {
    program: 'rTorrent 0.9.8',
    name: 'rtorrent',
    started:
      '0123456789abcdef00000001522a608fc75dd54682e032e4a907fc5deef55e891868935f2d6c74304438302d68e5c6faf61c1f87cc7a0406000000000000000000000000000186a0000000000000000000000000000000004fbb467affffffff42d2',
    stopped:
      '0123456789abcdef000000015d04645dc75dd54682e032e4a907fc5deef55e891868935f2d6c74304438302d68e5c6faf61c1f87cc7a0406000000000000000000000000000186a0000000000000000000000003000000004fbb467affffffff42d2',
  },
  {
    program: 'bittorrent-tracker 11.2.3',
    name: 'webtorrent',
    started:
      '0123456789abcdef000000015492e510e4c6aaffc6e55bf593d892d49f12093e667929b82d5757303230382d313233343536373839303132000000000000000000000000000186a000000000000000000000000200000000000000000000003242d3',
    stopped:
      '0123456789abcdef000000017724e159e4c6aaffc6e55bf593d892d49f12093e667929b82d5757303230382d3132333435363738393031320000000000000000ffffffffffffffff00000000000000000000000300000000000000000000003242d3',
  },
]
