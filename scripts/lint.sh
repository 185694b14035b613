#!/usr/bin/env bash
# Formats, lints and audits. Every check runs, also after one failed; nothing is changed.
#
#   lint.sh         make lint: all of them
#   lint.sh audit   make audit: licences, sources and known vulnerabilities of the dependencies alone
#
# test.sh sources this file for `lint_steps`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

clippy() { cargo clippy --release --locked --all-targets "$@" -- -D warnings; }
# Broken links are errors.
rustdoc() { RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --lib; }
ruff() { "$VENV/bin/ruff" "$@" .; }
# The package with its tests, then the scripts around it; the settings are the package's.
mypy_strict() {
    cd python_pkg
    ../.venv/bin/mypy --strict
    ../.venv/bin/mypy --strict ../examples/leaderboard.py ../examples/recipes/naive_twin.py ../noxfile.py ../scripts/check_*.py ../embed_runtime/*.py
    ../.venv/bin/mypy --strict ../tests/windows/*.py
}

# Phrases that readers of source, docs and messages stumble over, as Perl patterns; STYLE of the language is plain
# technical English. "There is no", "is no longer" and "makes room" are.
LANGUAGE='(?<!there )\b(is|are) none\b(?! of)|(that|which|who) (is|are|has|have) none\b'
LANGUAGE+='|(?<![Tt]here )\b(is|are) no (?!longer|more|less|fewer|other|different|better|worse|higher|lower|larger|smaller|need|reason|way)[a-z_`]+'
LANGUAGE+='|\b(bounds|knows|needs|takes|asks|says) (it|them|him|her)? ?not\b'
LANGUAGE+='|\bwho(ever)? (asks|calls|reads|writes|adds|looks|starts|runs|loads)\b|\b[Ww]hoever\b'
LANGUAGE+='|\b(house|bell|doors?|roads?|entrance|clothes)\b'

plain_language() {
    if git grep -nIP "$LANGUAGE" -- src python_pkg tests benches examples scripts docs deploy embed_runtime proto README.md CHANGELOG.md ':!scripts/lint.sh'; then
        echo "say these in plain words: if for conditions, the field's own terms, who does what" >&2
        return 1
    fi
}

lint_steps() {
    step "plain language" plain_language
    step "rustfmt" cargo fmt --all --check
    step "ruff check" ruff check
    step "ruff format" ruff format --check
    step "mypy --strict" mypy_strict
    step "clippy, no Python" clippy
    step "clippy, py-embed" clippy --features py-embed
    if has_stable_abi; then
        step "clippy, py-ext" clippy --features py-ext
    else
        not_run "clippy, py-ext" "$NO_STABLE_ABI"
    fi
    step "rustdoc" rustdoc
    if command -v shellcheck >/dev/null; then
        step "shellcheck" shellcheck -x -P SCRIPTDIR scripts/*.sh .ci/run
    else
        not_run "shellcheck" "it is not installed"
    fi
    windows_step
    audit_steps
}

# Type-checks the parts without Python for Windows. Checking links nothing, so without a C compiler for
# Windows, `true` takes the place of the one that the zstd crate calls.
windows_step() {
    local target=x86_64-pc-windows-gnu name="cargo check for Windows"
    if ! rustc --print target-libdir --target "$target" 2>/dev/null | xargs -r test -d; then
        not_run "$name" "the target is not installed (rustup target add $target)"
        return
    fi
    if ! command -v x86_64-w64-mingw32-gcc >/dev/null; then
        export CC_x86_64_pc_windows_gnu=true AR_x86_64_pc_windows_gnu=true
    fi
    step "$name" cargo check --release --locked --target "$target" --lib --bins
}

# Licences, sources and banned crates offline; advisories if their database can be reached.
audit_steps() {
    local deny said
    deny=$(command -v cargo-deny || echo "$CACHE/tools/bin/cargo-deny")
    if [ -x "$deny" ]; then
        step "cargo deny: bans, licences, sources" \
            "$deny" --locked check --hide-inclusion-graph bans licenses sources
        if said=$("$deny" --locked fetch db 2>&1); then
            step "cargo deny: advisories" "$deny" --locked check --hide-inclusion-graph advisories --disable-fetch
        else
            not_run "cargo deny: advisories" "their database could not be fetched (${said##*$'\n'})"
        fi
    else
        not_run "cargo deny" "it is not installed (cargo install cargo-deny --locked, or make audit)"
    fi
}

# Builds cargo-deny into the cache if it is missing. Unoptimised: it runs for a second and builds several
# times as fast.
install_cargo_deny() {
    if command -v cargo-deny >/dev/null || [ -x "$CACHE/tools/bin/cargo-deny" ]; then return; fi
    say "cargo-deny into $CACHE/tools"
    CARGO_TARGET_DIR=$CACHE/tools/target \
        cargo install cargo-deny --locked --debug --quiet --root "$CACHE/tools" ||
        echo "cargo-deny could not be built; the reason stands above."
    rm -rf "$CACHE/tools/target"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1:-all} in
    all)
        use_python
        make_test_venv
        lint_steps
        ;;
    audit)
        install_cargo_deny
        audit_steps
        ;;
    *) die "$1: unknown argument; use none, or audit" ;;
    esac
    finish
fi
