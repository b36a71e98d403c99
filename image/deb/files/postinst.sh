#!/bin/sh
# What dh_installsystemd, dh_installsysusers and dh_installtmpfiles would write, and the configuration's mode.
set -e

case "$1" in
  configure | abort-upgrade | abort-deconfigure | abort-remove) ;;
  *)
    echo "postinst called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac

systemd-sysusers btlinkd.conf

# It may get secrets, such as the password of a relay. Only the first time: afterwards it is the owner's.
if [ "$1" = configure ] && [ -z "$2" ]; then
  chown root:btlinkd /etc/btlinkd /etc/btlinkd/btlinkd.yaml
  chmod 0750 /etc/btlinkd
  chmod 0640 /etc/btlinkd/btlinkd.yaml
fi

# Where it cannot, as in a root without /proc, the units make their folders when they start.
systemd-tmpfiles --create btlinkd.conf || true

for unit in @ENABLED@; do
  deb-systemd-helper unmask "$unit" >/dev/null || true
  if deb-systemd-helper --quiet was-enabled "$unit"; then
    deb-systemd-helper enable "$unit" >/dev/null || true
  else
    deb-systemd-helper update-state "$unit" >/dev/null || true
  fi
done

if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
  if [ -n "$2" ]; then
    # The sockets stay open, so that nobody in the house is turned away meanwhile.
    systemctl --system try-restart @RESTARTED@ >/dev/null || true
  fi
  # Where another server has port 53 or 80 the package is installed all the same: `systemctl --failed`.
  deb-systemd-invoke start @STARTED@ >/dev/null || true
fi

exit 0
