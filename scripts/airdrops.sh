#!/usr/bin/env bash
# Airdrops outside of Rust: the contracts of examples/solidity and npm's own packages against trees of the binary, and
# every command of examples/airdrop.md. npm's packages lie in the cache, as the lockfile pins them. Needs
# target/release/main_holdmetrics, node and npm.
#
# test.sh sources this file for `airdrop_steps`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

SOLIDITY=$CACHE/solidity

# Where the packages are; they are installed anew if the lockfile is another one.
install_solidity() {
    mkdir -p "$SOLIDITY"
    cp examples/solidity/*.{sol,mjs} "$SOLIDITY"
    if cmp -s examples/solidity/package-lock.json "$SOLIDITY/installed.json"; then return; fi
    cp examples/solidity/package{,-lock}.json "$SOLIDITY"
    npm ci --prefix "$SOLIDITY" --ignore-scripts --no-audit --no-fund --loglevel=error
    cp examples/solidity/package-lock.json "$SOLIDITY/installed.json"
}

check_solidity() {
    install_solidity
    HOLDMETRICS_BINARY=$BINARY node --test "$SOLIDITY/check.mjs"
}

# Runs the blocks of commands of a guide, in one shell in an empty folder.
check_guide() {
    local folder
    install_solidity
    folder=$(mktemp -d)
    mkdir "$folder/bin"
    ln -s "$BINARY" "$folder/bin/main_holdmetrics"
    awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$1" >"$folder/commands.sh"
    (cd "$folder" && PATH=$folder/bin:$PATH SOLIDITY=$SOLIDITY bash -euxo pipefail commands.sh)
    rm -r "$folder"
}

airdrop_steps() {
    if ! command -v npm >/dev/null; then
        not_run "airdrops in Solidity, and examples/airdrop.md" "npm is not installed (https://nodejs.org, from 20)"
        return
    fi
    step "airdrops in Solidity and beside npm's packages" check_solidity
    step "examples/airdrop.md" check_guide examples/airdrop.md
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    build_binary
    airdrop_steps
    finish
fi
