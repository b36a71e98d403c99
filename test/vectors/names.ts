/** Public keys, their base36 and their DHT targets, from the specifications and from other programs. */

export interface KeyVector {
  title: string
  hex: string
  base36: string
}

export const keyVectors: readonly KeyVector[] = [
  {
    title: 'the key of BEP 44',
    hex: '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548',
    base36: '2zo3vdi4yyd28foc5e4g145nwjatxryeha64dh81mff3i81yko',
  },
  {
    title: 'the key of BEP 46',
    hex: '8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e',
    base36: '3bkn7umqo2g90xy96r2wpyrlu5j7n6s8ii3eoz4ra5nv45hh6m',
  },
  {
    title: 'the largest key',
    hex: 'ff'.repeat(32),
    base36: '6dp5qcb22im238nr3wvp0ic7q99w035jmy2iw7i6n43d37jtof',
  },
  {
    title: 'a key with a leading zero byte',
    hex: `00${'ff'.repeat(31)}`,
    base36: '0waum9lsz88q62wl8zk7gdtuc4ogb9fytnwza5jzt4ih10hz3',
  },
  { title: 'the key of zeroes', hex: '00'.repeat(32), base36: '0'.repeat(32) },
  { title: 'the key one', hex: `${'00'.repeat(31)}01`, base36: `${'0'.repeat(31)}1` },
]

export interface TargetVector {
  title: string
  key: string
  /** Hex. */
  salt: string
  target: string
}

export const mutableTargetVectors: readonly TargetVector[] = [
  {
    title: 'BEP 44, no salt',
    key: '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548',
    salt: '',
    target: '4a533d47ec9c7d95b1ad75f576cffc641853b750',
  },
  {
    title: 'BEP 44, salt "foobar"',
    key: '77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548',
    salt: '666f6f626172',
    target: '411eba73b6f087ca51a3795d9c8c938d365e32c1',
  },
  {
    title: 'BEP 46, no salt',
    key: '8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e',
    salt: '',
    target: 'cc3f9d90b572172053626f9980ce261a850d050b',
  },
  {
    title: 'BEP 46, salt "n"',
    key: '8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e',
    salt: '6e',
    target: '59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f',
  },
]

export const immutableTargetVectors: readonly { value: string; target: string }[] = [
  { value: '12:Hello World!', target: 'e5f96f6f38320f0f33959cb4d3d656452117aadb' },
]
