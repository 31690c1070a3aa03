#!/bin/sh
# Print the Secret with the platform's passwords and signing keys, for secrets.existingSecret. Needs OpenSSL 1.1.1.
#
#   sh create-secret.sh NAMESPACE NAME | kubectl create -f -
#
# `create`, not `apply`: it rejects a Secret that exists, whose passwords and keys the stores and receipts need. In a GitOps
# repository, encrypt the output first (kubeseal, sops), and run this once. Keys that a new release adds:
#
#   sh create-secret.sh NAMESPACE NAME KEY... | kubectl -n NAMESPACE patch secret NAME --patch-file=/dev/stdin
set -eu
if [ "$#" -lt 2 ]; then
    echo "usage: sh create-secret.sh NAMESPACE NAME [KEY...] | kubectl create -f -" >&2
    exit 64
fi
namespace=$1 name=$2
shift 2
passwords="secret-key postgres-password postgres-owner-password postgres-web-password
    postgres-solver-password postgres-grader-password redis-web-password redis-solver-password
    redis-grader-password redis-probe-password
    cassandra-password cassandra-web-password cassandra-solver-password cassandra-grader-password
    cassandra-monitoring-password postgres-monitoring-password redis-monitoring-password"
files="web-keys.pem statement-keys.pem solver-keys.pem operator-service-keys.pem solver-service-keys.pem"
# shellcheck disable=SC2086 # several words
[ "$#" -gt 0 ] || set -- $passwords $files

# Print one value, encoded; `set -e` does not see the first command of a pipeline fail.
password() {
    bytes=$(openssl rand -hex "$1")
    printf %s "$bytes" | openssl base64 -A
}
key() {
    pem=$(openssl genpkey -algorithm ed25519)
    printf '%s\n' "$pem" | openssl base64 -A
}
among() {
    for word in $2; do [ "$word" != "$1" ] || return 0; done
    return 1
}

secret=$(
    cat <<END
apiVersion: v1
kind: Secret
metadata: {name: $name, namespace: $namespace}
type: Opaque
data:
END
    for each in "$@"; do
        if among "$each" "$passwords"; then
            value=$(password 32)
        elif among "$each" "$files"; then
            value=$(key)
        else
            echo "$each is none of: $(echo $passwords $files)" >&2
            exit 64
        fi
        echo "  $each: $value"
    done
)
# Nothing is printed unless everything was generated.
printf '%s\n' "$secret"
