#!/bin/sh
set -e

if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi

if [ "$1" = purge ]; then
  if command -v deb-systemd-helper >/dev/null; then
    for unit in @ENABLED@; do
      deb-systemd-helper purge "$unit" >/dev/null || true
    done
  fi
  for folder in /var/lib/btlinkd /var/lib/btlinkd-update /var/cache/btlinkd; do
    [ -d "$folder" ] || continue
    echo "btlinkd: removing $folder ($(du -sh "$folder" 2>/dev/null | cut -f1)): keys, certificates, sites"
    rm -rf "$folder" || echo "btlinkd: $folder is not gone: remove it by hand" >&2
  done
  # The user stays: files elsewhere may be its own, and another user must not get its number.
fi

exit 0
