#!/bin/sh
# The ledger in /var/lib/owlat-sync stays, after a purge too: it remembers who has left which topic.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
