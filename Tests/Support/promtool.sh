#!/usr/bin/env bash
# promtool.sh ARGUMENTS... - runs promtool, which checks and tests rules (Debian package prometheus)
#
# The package is unpacked, not installed: no service starts, no user or /etc file is made.
# PROMTOOL_ROOT: where (/tmp/evertoken-test/prometheus-root), kept from run to run
# Needs: Debian 12, for apt.
set -euo pipefail
ROOT=${PROMTOOL_ROOT:-/tmp/evertoken-test/prometheus-root}
APT=(apt-get -o DPkg::Lock::Timeout=300)

if ! [[ -x $ROOT/usr/bin/promtool ]]; then
    apt-cache show prometheus >/dev/null 2>&1 || "${APT[@]}" update -q >&2
    mkdir -p "$(dirname "$ROOT")"
    unpacked=$(mktemp -d "$ROOT.XXXXXX")
    trap 'rm -rf "$unpacked"' EXIT
    chmod 755 "$unpacked"
    chown _apt "$unpacked" 2>/dev/null || true
    (cd "$unpacked" && "${APT[@]}" download -q prometheus >&2)
    dpkg-deb --fsys-tarfile "$unpacked"/prometheus_*.deb | tar -x -C "$unpacked" ./usr/bin/promtool
    rm "$unpacked"/prometheus_*.deb
    chown 0:0 "$unpacked" 2>/dev/null || true
    # Two at once: the second finds the first one's.
    mv -T "$unpacked" "$ROOT" 2>/dev/null || [[ -x $ROOT/usr/bin/promtool ]]
fi
exec "$ROOT/usr/bin/promtool" "$@"
