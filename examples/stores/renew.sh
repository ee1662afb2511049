#!/bin/sh
# Tell a process of each new value of a key in etcd:
#
#     renew.sh KEY PID
#
# It ends at the first change after the process has ended.  What etcdctl gets,
# and passes on in ETCD_WATCH_VALUE, is ciphertext.
set -eu
revision=$(etcdctl get "$1" -w fields | sed -n 's/^"Revision" : //p')
# For what has changed before, since the process has read it.
kill -HUP "$2"
exec etcdctl watch "$1" --rev=$((revision + 1)) -- \
    sh -c 'kill -HUP "$0"' "$2"
