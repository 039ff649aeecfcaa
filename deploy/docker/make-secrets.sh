#!/bin/sh
# Makes each secret that is missing, once. Runs as the first container of `docker compose up`; the volume is the place to back up.
set -eu
umask 077
cd /run/sejam
for name in postgres-password store-admin-password store-password; do
  [ -s "$name" ] || head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$name"
done
# Read by containers that run as other users; the volume is mounted by this project's containers alone.
chmod 0444 postgres-password store-admin-password store-password
chmod 0755 /run/sejam
mkdir -p state && chown 1000:1000 state && chmod 0700 state
