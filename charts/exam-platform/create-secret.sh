#!/bin/sh
# Print the Secret with the platform's passwords and signing keys, for secrets.existingSecret. Needs OpenSSL 1.1.1.
#
#   sh create-secret.sh NAMESPACE NAME | kubectl create -f -
#
# `create`, not `apply`: it rejects a Secret that exists, whose passwords and keys the stores and receipts need. In a GitOps
# repository, encrypt the output first (kubeseal, sops), and run this once.
set -eu
if [ "$#" -ne 2 ]; then
    echo "usage: sh create-secret.sh NAMESPACE NAME | kubectl create -f -" >&2
    exit 64
fi

# Print one value, encoded; `set -e` does not see the first command of a pipeline fail.
password() {
    bytes=$(openssl rand -hex "$1")
    printf %s "$bytes" | openssl base64 -A
}
key() {
    pem=$(openssl genpkey -algorithm ed25519)
    printf '%s\n' "$pem" | openssl base64 -A
}

secret=$(
    cat <<END
apiVersion: v1
kind: Secret
metadata: {name: $2, namespace: $1}
type: Opaque
data:
END
    for name in secret-key service-token postgres-password postgres-web-password postgres-solver-password \
        postgres-grader-password redis-password cassandra-password; do
        value=$(password 32)
        echo "  $name: $value"
    done
    for name in web-keys.pem statement-keys.pem solver-keys.pem; do
        value=$(key)
        echo "  $name: $value"
    done
)
# Nothing is printed unless everything was generated.
printf '%s\n' "$secret"
