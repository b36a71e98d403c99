#!/bin/sh
# btlinkd on the Node that it comes with. The units have flags for it.
: "${BTLINKD_CONFIG=/etc/btlinkd/btlinkd.yaml}"
export BTLINKD_CONFIG
exec /usr/lib/btlinkd/node_modules/node-linux-@CPU@/bin/node ${BTL_NODE_FLAGS-} /usr/lib/btlinkd/dist/app/main.js "$@"
