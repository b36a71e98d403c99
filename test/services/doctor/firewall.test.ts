/** Which rules close a box: loaded into the kernel, and read as it lists them. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { closedFamilies } from '../../../src/services/doctor/firewall.ts'
import { type Box, household, withoutNetns } from '../../support/household.ts'
import { missing, output } from '../../support/processes.ts'
import { ROOT } from '../../support/sources.ts'

const NFT = '/usr/sbin/nft'
const PYTHON = '/usr/bin/python3'
const JINJA = '/usr/lib/python3/dist-packages/jinja2'
const IMAGE = join(ROOT, 'image/mkosi/mkosi.extra/etc/nftables.conf')

/** As Ansible fills it in for a house. */
const RENDER = `
import jinja2
made = jinja2.Environment(trim_blocks=True, loader=jinja2.FileSystemLoader('.'))
made.filters['bool'] = bool
print(made.get_template('firewall.nft.j2').render(
  ansible_managed='', btlinkd_lan_interfaces=['lan0'],
  btlinkd_lan_networks=['10.0.0.0/8', 'fc00::/7'], btlinkd__peer_tcp=[6881], btlinkd__peer_udp=[6881, 6883],
  btlinkd__effective={'webrtc': {}}, btlinkd_firewall_everyone=False, btlinkd_firewall_ssh=True))
`

const chain = (family: string, policy: string, rules = '') =>
  `table ${family} t { chain c { type filter hook input priority 0; policy ${policy}; ${rules} }; }`
const BOTH = ['IPv4', 'IPv6']

const CASES: [what: string, rules: string, closed: string[]][] = [
  ['no rules at all', '', []],
  ['a policy of both protocols', chain('inet', 'drop', 'tcp dport 22 accept;'), BOTH],
  ['a policy of the older protocol alone', chain('ip', 'drop'), ['IPv4']],
  [
    'one chain for each protocol, of which one accepts',
    `${chain('ip', 'accept')}\n${chain('ip6', 'drop')}`,
    ['IPv6'],
  ],
  [
    'a last rule that refuses',
    chain('inet', 'accept', 'iif lo accept; reject with tcp reset;'),
    [],
  ],
  [
    'a last rule that refuses, as firewalld writes it',
    chain(
      'inet',
      'accept',
      'iif lo accept; ct state invalid drop; reject with icmpx admin-prohibited;',
    ),
    BOTH,
  ],
  ['a plain refusal of one protocol', chain('ip', 'accept', 'reject;'), ['IPv4']],
  [
    'a last rule that counts, tells and drops',
    chain('inet', 'accept', 'counter log prefix "no: " level info drop;'),
    BOTH,
  ],
  [
    'a rule that drops some',
    chain('inet', 'accept', 'ct state invalid drop; tcp dport 1 drop;'),
    [],
  ],
  ['a rule that takes all before', chain('inet', 'drop', 'tcp dport 1 drop; accept;'), []],
  [
    'what is passed on, not taken',
    `table inet t { chain c { type filter hook forward priority 0; policy drop; }; }`,
    [],
  ],
]

describe('a firewall', { skip: withoutNetns() || missing(NFT, PYTHON, JINJA) }, () => {
  it('is seen as closed where it refuses what is not named, and for which protocol', async (t) => {
    const [box] = (await household(t, 'box')) as [Box]
    const listed = async (rules: string) => {
      const within = { netns: box.netns }
      await output(NFT, ['-f', '-'], { ...within, input: `flush ruleset\n${rules}\n` })
      return closedFamilies(await output(NFT, ['list', 'ruleset'], within))
    }
    for (const [what, rules, closed] of CASES)
      assert.deepEqual([...(await listed(rules))].sort(), closed, what)
    const role = await output(PYTHON, ['-c', RENDER], {
      cwd: join(ROOT, 'ansible/roles/btlinkd/templates'),
    })
    assert.deepEqual([...(await listed(role))].sort(), BOTH, 'of the role')
    assert.deepEqual([...(await listed(`include "${IMAGE}"`))].sort(), BOTH, 'of the image')
  })
})
