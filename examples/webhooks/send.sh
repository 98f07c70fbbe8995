#!/bin/sh
# Signs one delivery as each sender does, with openssl, and posts it. Usage: send.sh <source>; GATEWAY and SECRET by
# environment. The gateway of README.md beside this file takes them all.
set -eu
gateway=${GATEWAY:-http://127.0.0.1:4444}
secret=${SECRET:-webhook-secret-of-the-examples}
body='{"id":"evt_1","event_id":"Ev1","text":"hello"}'
now=$(date +%s)

# hmac <algorithm>: of standard input, under $secret, as bytes.
hmac() { openssl dgst "-$1" -hmac "$secret" -binary; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
base64() { openssl base64 -A; }

# post <source> <header>...: prints the answer's status.
post() {
  source=$1
  shift
  for header in "$@"; do set -- "$@" -H "$header"; shift; done
  printf '%s' "$body" |
    curl -s -o /dev/null -w '%{http_code}\n' "$gateway/webhooks/$source" -H 'content-type: application/json' \
      --data-binary @- "$@"
}

case ${1:-} in
github)
  post github "x-hub-signature-256: sha256=$(printf '%s' "$body" | hmac sha256 | hex)" \
    "x-github-event: push" "x-github-delivery: $now" ;;
stripe)
  post stripe "stripe-signature: t=$now,v1=$(printf '%s.%s' "$now" "$body" | hmac sha256 | hex)" ;;
slack)
  post slack "x-slack-request-timestamp: $now" \
    "x-slack-signature: v0=$(printf 'v0:%s:%s' "$now" "$body" | hmac sha256 | hex)" ;;
shopify)
  post shopify "x-shopify-hmac-sha256: $(printf '%s' "$body" | hmac sha256 | base64)" \
    "x-shopify-topic: orders/create" "x-shopify-event-id: $now" ;;
standard)
  # The gateway is given whsec_ and the secret in base64; the key is the secret's own bytes.
  post standard "webhook-id: msg_1" "webhook-timestamp: $now" \
    "webhook-signature: v1,$(printf 'msg_1.%s.%s' "$now" "$body" | hmac sha256 | base64)" ;;
gitlab)
  post gitlab "x-gitlab-token: $secret" "idempotency-key: $now" ;;
events)
  post events "authorization: Bearer $secret" "ce-specversion: 1.0" "ce-id: $now" "ce-source: /example" \
    "ce-type: example.hello" ;;
own)
  post own "x-signature: sha512=$(printf '%s:%s' "$now" "$body" | hmac sha512 | hex)" "x-time: $now" ;;
*)
  echo "usage: $0 github|stripe|slack|shopify|standard|gitlab|events|own" >&2
  exit 2 ;;
esac
