/** Session descriptions as real programs wrote them, in networks of this project's tests. */

const crlf = (lines: string): string => `${lines.trim().replaceAll('\n', '\r\n')}\r\n`

/** Chromium 156, headless, usual settings. */
export const CHROMIUM_OFFER = crlf(`
v=0
o=- 7723047801954230286 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=candidate:2839214710 1 udp 2113937151 5cf3a2f9-9a61-4a04-9b51-5be04c5d4b0a.local 50541 typ host generation 0 network-cost 999
a=ice-ufrag:6MtP
a=ice-pwd:GAnOqsfR6xB/hM0R6rKWwIMm
a=ice-options:trickle
a=fingerprint:sha-256 1E:09:08:57:31:F8:F3:4E:08:5C:43:FA:3F:AB:C7:DD:12:A5:5F:5D:4B:E6:12:EB:4C:72:8D:BF:53:D7:A3:31
a=setup:actpass
a=mid:0
a=sctp-port:5000
a=max-message-size:262144
`)

/** Firefox 153, headless, usual settings. */
export const FIREFOX_OFFER = crlf(`
v=0
o=mozilla...THIS_IS_SDPARTA-99.0 3163925580399998116 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:sha-256 EB:6F:7C:A2:56:45:62:FA:7A:6B:5F:CE:29:47:BE:80:E4:38:DC:80:31:AE:34:B7:0D:67:04:35:A4:C8:44:27
a=group:BUNDLE 0
a=ice-options:trickle
a=msid-semantic:WMS *
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=candidate:0 1 UDP 2122252543 d2674cfb-5a2f-422f-96b3-ba4777a970a1.local 54163 typ host
a=candidate:1 1 TCP 2105524479 d2674cfb-5a2f-422f-96b3-ba4777a970a1.local 9 typ host tcptype active
a=sendrecv
a=end-of-candidates
a=ice-pwd:5fc9e660b1f12b5ed30d11d25eca0209
a=ice-ufrag:dcc85ffd
a=mid:0
a=setup:actpass
a=sctp-port:5000
a=max-message-size:1073741823
`)

/** libdatachannel 0.24 by node-datachannel 0.33.4. */
export const LIBDATACHANNEL_OFFER = crlf(`
v=0
o=rtc 1556809904 0 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic:WMS *
a=ice-options:ice2,trickle
a=fingerprint:sha-256 D2:2A:BB:1E:05:46:68:04:85:96:AE:20:3B:E1:4C:76:35:B4:78:2F:4B:C6:27:4A:45:89:F7:D8:78:4C:5B:B0
m=application 48942 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.2
a=mid:0
a=sendrecv
a=sctp-port:5000
a=max-message-size:262144
a=setup:actpass
a=ice-ufrag:XuEm
a=ice-pwd:H0MGhsT2bqqxMk+IxBPXR4
a=candidate:2 1 UDP 2116026111 fd00::2 48942 typ host
a=candidate:1 1 UDP 2114977791 192.0.2.2 48942 typ host
a=end-of-candidates
`)
