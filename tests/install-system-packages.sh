#!/bin/sh
# Chromium for the page tests and PostgreSQL for the database tests, only where they are absent.
set -eu

missing=""
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
  command -v google-chrome >/dev/null 2>&1 || missing="chromium"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 ||
  missing="$missing postgresql"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing$(printf ' %s' $missing) for the tests"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # shellcheck disable=SC2086
  if { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    rm -f "$log"
    exit 0
  fi
  tail -n 20 "$log" >&2
  echo "could not install:$(printf ' %s' $missing)" >&2
  exit 1
fi

echo "The tests also need$(printf ' %s' $missing). Please run:" >&2
echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing" >&2
