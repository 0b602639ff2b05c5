#!/bin/sh
# Debian calls it with "remove" or "upgrade", Fedora with the number of versions that will be left.
set -e

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now owlat-sync.service owlat-sync-backup.timer
	fi
	;;
esac
