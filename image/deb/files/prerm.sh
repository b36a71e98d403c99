#!/bin/sh
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop @STARTED@ @RESTARTED@ >/dev/null || true
fi

exit 0
