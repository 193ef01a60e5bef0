#!/bin/sh
# Installs what tests compare gapless with and PyPI does not carry: the distribution's redis-server, of Redis 7.0. Only when run by root
# on Debian or Ubuntu. A machine that can't have it runs the tests without: pytest names those that were skipped, and why.
set -u

command -v redis-server >/dev/null 2>&1 && exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || exit 0

# It is started by tests, on ports of their own, and not as a service.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
if ! { timeout 120 apt-get update -qq && timeout 240 apt-get install -y -qq --no-install-recommends redis-server; } </dev/null >/dev/null 2>&1
then
    echo "redis-server can't be installed: the tests that need Redis 7.0 are skipped" >&2
fi
exit 0
