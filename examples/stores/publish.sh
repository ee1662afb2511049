#!/bin/sh
# Publish a value in etcd, encrypted to the machines that may have it:
#
#     publish.sh KEY < VALUE
#
# recipients.txt has their public keys.  etcd, its backups and whoever reads
# it get ciphertext only.
set -eu
# Not by a pipe: if it cannot be encrypted, nothing is stored.
sealed=$(secretmem seal --armor -R recipients.txt)
printf '%s\n' "$sealed" | etcdctl put "$1"
