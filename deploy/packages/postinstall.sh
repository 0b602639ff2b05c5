#!/bin/sh
# Debian calls it with "configure" and the old version, Fedora with the number of versions that are installed.
set -e

systemd-sysusers owlat-sync.conf || true
if getent group owlat-sync >/dev/null; then
	# For commands that people run as this user, before the service has started once.
	install -d -m 700 -o owlat-sync -g owlat-sync /var/lib/owlat-sync
	chgrp owlat-sync /etc/owlat-sync/env
	chmod 640 /etc/owlat-sync/env
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# After an upgrade the new version goes on. A new installation is started by hand, once it is configured.
	systemctl try-restart owlat-sync.service || echo "owlat-sync did not start again: journalctl -u owlat-sync says why" >&2
fi
