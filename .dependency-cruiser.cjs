// The rings of docs/architecture.md as rules: app -> edges -> services -> engines -> base.
const rule = (name, from, to) => ({ name, severity: 'error', from, to })

module.exports = {
  forbidden: [
    rule('no-cycles', {}, { circular: true }),
    rule('base-stays-at-the-base', { path: '^src/base/' }, { path: '^src/', pathNot: '^src/base/' }),
    rule('names-are-pure', { path: '^src/base/(names|bencode|bytes|hashes|units)' }, { dependencyTypes: ['core'] }),
    rule('engines-stand-alone', { path: '^src/engines/([^/]+)/' }, { path: '^src/', pathNot: ['^src/base/', '^src/engines/$1/'] }),
    rule('services-see-ports-only', { path: '^src/services/([^/]+)/' }, { path: '^src/', pathNot: ['^src/base/', '^src/services/$1/'] }),
    rule('edges-see-ports-only', { path: '^src/edges/([^/]+)/' }, { path: '^src/', pathNot: ['^src/base/', '^src/edges/$1/', '^src/edges/http/index\\.ts$'] }),
    rule('not-your-own-door', { path: '^src/(engines|services|edges)/([^/]+)/', pathNot: '/index\\.ts$' }, { path: '^src/$1/$2/index\\.ts$' }),
    rule('app-uses-doors', { path: '^src/app/' }, { path: '^src/(engines|services|edges)/[^/]+/.', pathNot: ['/index\\.ts$', '/config\\.ts$'] }),
    rule('only-main-composes', { path: '^src/', pathNot: '^src/app/(main|roles/)' }, { path: '^src/app/(compose-[a-z]+|main)\\.ts$' }),
    rule('one-home-for-webtorrent', { path: '^src/', pathNot: '^src/engines/torrent/' }, { path: 'node_modules/(webtorrent|bittorrent-protocol)/' }),
    rule('one-home-for-webrtc', { path: '^src/', pathNot: '^src/engines/(webrtc|torrent)/' }, { path: 'node_modules/node-datachannel/' }),
    rule('one-home-for-sqlite', { path: '^src/', pathNot: '^src/engines/store/' }, { path: 'node_modules/better-sqlite3/' }),
    rule('no-orphans', { orphan: true, pathNot: ['\\.d\\.ts$', 'launch\\.mjs$'] }, {}),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
}
