#!/bin/sh
# Gives the services a user of their own that reads and appends and may neither delete a stream nor change its metadata. Repeatable.
set -eu
base=https://eventstore:2113
admin="admin:$(cat /run/sejam/store-admin-password)"
password=$(cat /run/sejam/store-password)
call() { curl --silent --show-error --fail-with-body --cacert /certs/ca/ca.crt --user "$admin" "$@"; }

until call "$base/health/live" > /dev/null 2>&1; do sleep 1; done

if ! call "$base/users/sejam" > /dev/null 2>&1; then
  call --request POST "$base/users/" --header 'content-type: application/json' \
    --data "{\"loginName\":\"sejam\",\"fullName\":\"Sejam services\",\"password\":\"$password\",\"groups\":[]}"
fi

# Streams: the services read and append; only an administrator deletes or changes metadata, and nobody does.
call --request POST "$base/streams/%24settings" --header 'content-type: application/vnd.eventstore.events+json' --data '[{
  "eventId": "5a0f6f0e-6f6a-4c6e-9d3e-3b1d7f6a5f01", "eventType": "update-default-acl",
  "data": { "$userStreamAcl": { "$r": ["sejam"], "$w": ["sejam"], "$d": ["$admins"], "$mr": ["sejam"], "$mw": ["$admins"] },
            "$systemStreamAcl": { "$r": ["$admins"], "$w": ["$admins"], "$d": ["$admins"], "$mr": ["$admins"], "$mw": ["$admins"] } } }]'

# The whole record, for subscriptions and for the auditor.
call --request POST "$base/streams/%24%24%24all" --header 'content-type: application/vnd.eventstore.events+json' --data '[{
  "eventId": "5a0f6f0e-6f6a-4c6e-9d3e-3b1d7f6a5f02", "eventType": "$metadata", "data": { "$acl": { "$r": ["$admins", "sejam"] } } }]'
echo "The store is set up."
