/** TXT records at `_btlink` that name no site, by what is wrong with them. */
import { utf8 } from '../../src/base/bytes.ts'

const IH = '9a0df2a4500d65ab0b58e4ad3ef7c55576ca88f1'
const KEY = '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548'
const K = '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko'

export const BROKEN_LINK_RECORDS: Record<string, Uint8Array[]> = {
  'one empty string': [utf8('')],
  'no string at all': [],
  'white space': [utf8(' \t\r\n ')],
  'mail policy': [utf8('v=spf1 -all')],
  'proof for a search engine': [utf8('google-site-verification=abc')],
  'an infohash alone': [utf8(IH)],
  'an infohash one digit short': [utf8(`magnet:?xt=urn:btih:${IH.slice(1)}`)],
  'an infohash one digit long': [utf8(`magnet:?xt=urn:btih:${IH}0`)],
  'an infohash with a letter too many': [utf8(`magnet:?xt=urn:btih:${IH.slice(1)}g`)],
  'base32 of 31 digits': [utf8('magnet:?xt=urn:btih:TIG7FJCQBVS2WC2Y4SWT556FKV3MVCH')],
  'a magnet of nothing': [utf8('magnet:?')],
  'a magnet with a title only': [utf8('magnet:?dn=site')],
  'a magnet of a v2 torrent': [utf8(`magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}`)],
  'a magnet of another network': [utf8('magnet:?xt=urn:ed2k:354B15E68FB8F36D7CD88FF94116CDC1')],
  'a magnet without question mark': [utf8(`magnet:xt=urn:btih:${IH}`)],
  'a key one digit short': [utf8(`magnet:?xs=urn:btpk:${KEY.slice(1)}`)],
  'a key in base36': [utf8(`magnet:?xs=urn:btpk:${K}`)],
  'a salt with half a byte': [utf8(`magnet:?xs=urn:btpk:${KEY}&s=abc`)],
  'a salt that is no hex': [utf8(`magnet:?xs=urn:btpk:${KEY}&s=zz`)],
  'a salt of 65 bytes': [utf8(`magnet:?xs=urn:btpk:${KEY}&s=${'00'.repeat(65)}`)],
  'a sound torrent beside a broken key': [
    utf8(`magnet:?xt=urn:btih:${IH}&xs=urn:btpk:${KEY.slice(2)}`),
  ],
  'the top-level domain': [utf8('btlink')],
  'a name that is none': [utf8('foo.btlink')],
  'a name with a path': [utf8(`${IH}-ih.btlink/index.html`)],
  'a name with a query': [utf8(`${IH}-ih.btlink?x`)],
  'a name with user information': [utf8(`https://a@${IH}-ih.btlink/`)],
  'a name without top-level domain': [utf8(`${IH}-ih`)],
  'a name with a label of 64 characters': [utf8(`${'a'.repeat(64)}.${K}-pk.btlink`)],
  'a name with empty labels': [utf8(`..${K}-pk.btlink`)],
  'another scheme': [utf8(`ftp://${IH}-ih.btlink`)],
  'a script': [utf8(`javascript:alert('${IH}-ih.btlink')`)],
  'another domain': [utf8('example.com')],
  'an address of IPFS': [utf8('dnslink=/ipfs/bafybeigdyrzt')],
  'two prefixes': [utf8(`dnslink=dnslink=${IH}-ih.btlink`)],
  'two values in one record': [utf8(`${IH}-ih.btlink ${IH}-ih.btlink`)],
  'a space between the strings': [utf8(`${IH}-ih `), utf8('.btlink')],
  'quotes that belong to the zone file': [utf8(`"${IH}-ih.btlink"`)],
  'bytes that are no UTF-8': [Uint8Array.of(0xff, 0xfe, 0xc0, 0x80)],
  'a name with a NUL': [utf8(`${IH}-ih.btlink\0`)],
  'a name in wide letters': [utf8(`${IH}-ih.ｂｔｌｉｎｋ`)],
  'a Kelvin sign for a k': [utf8(`${IH}-ih.btlin\u212a`)],
  '17000 characters': Array.from({ length: 68 }, () => utf8('x'.repeat(250))),
  'a magnet of 17000 characters': [
    utf8(`magnet:?xt=urn:btih:${IH}&dn=`),
    ...Array.from({ length: 68 }, () => utf8('x'.repeat(250))),
  ],
}
