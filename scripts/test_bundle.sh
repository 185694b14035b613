#!/usr/bin/env bash
# make test-bundle: the bundle where nothing else is installed. A root of its own has the C library and libgcc, the
# bundle and a folder to work in; variables that could lead elsewhere are poisoned.
#
#   test_bundle.sh               what make bundle left in dist/: the one file too
#   test_bundle.sh FOLDER        the folder of an assembled bundle alone, as bundle.sh quick leaves it
#
# Needs to be root, for chroot and mounts of its own.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# In a namespace of its own: what is mounted below is seen by nobody else, and ends with this script.
if [ -z "${HOLDMETRICS_IN_NAMESPACE:-}" ]; then
    [ "$(id -u)" = 0 ] || die "chroot and mounts need root: sudo make test-bundle"
    HOLDMETRICS_IN_NAMESPACE=1 exec unshare --mount --propagation private "${BASH_SOURCE[0]}" "$@"
fi

SCRATCH=$(mktemp -d)
ROOT=$SCRATCH/root
SERVICE=""
CHROOT=$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)
trap leave EXIT

leave() {
    if [ -n "$SERVICE" ]; then
        kill -KILL "$SERVICE" 2>/dev/null || true
        wait "$SERVICE" 2>/dev/null || true
    fi
    umount "$ROOT/proc" 2>/dev/null || true
    # Never into a mount: what is below one belongs to the system.
    rm -rf --one-file-system "$SCRATCH"
}

# The C library, libgcc, and what the kernel gives.
make_root() {
    local library
    mkdir -p "$ROOT"/{lib64,lib/x86_64-linux-gnu,proc,dev,tmp,work,poison,sealed}
    for library in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libutil.so.1 libgcc_s.so.1; do
        cp "$(ldconfig -p | awk -v name="$library" '$1 == name && /x86-64/ {print $NF; exit}')" "$ROOT/lib/x86_64-linux-gnu/"
    done
    cp /lib64/ld-linux-x86-64.so.2 "$ROOT/lib64/"
    mount -t proc proc "$ROOT/proc"
    mknod -m 666 "$ROOT/dev/null" c 1 3
    mknod -m 666 "$ROOT/dev/urandom" c 1 9
    # Whatever reads one of these ends at once.
    echo "raise SystemExit('planted')" | tee "$ROOT/poison/os.py" >"$ROOT/poison/sitecustomize.py"
    echo "not a library" | tee "$ROOT/poison/libpython3.14.so.1.0" >"$ROOT/poison/libssl.so.3"
    chmod 1777 "$ROOT/tmp" "$ROOT/work"
    cp -a "$1" "$ROOT/bundle"
}

# Before a command: in the root, as a user without rights, with poison.
POISONED=(env -i PYTHONHOME=/poison PYTHONPATH=/poison PYTHONSTARTUP=/poison/os.py LD_LIBRARY_PATH=/poison)
IN_ROOT=("$CHROOT" --userspec=65534:65534 "$ROOT")

# A command in the root, with the variables before `--`.
inside() {
    local variables=()
    while [ "$1" != -- ]; do variables+=("$1"); shift; done
    shift
    "${POISONED[@]}" "${variables[@]}" "${IN_ROOT[@]}" "$@"
}

doctor() { inside -- /bundle/main_holdmetrics doctor; }

conformance() {
    # The cases lie in the root under the same name, so that the paths that the check passes fit.
    printf '#!/bin/sh\nexec env -i %q --userspec=65534:65534 %q /bundle/main_holdmetrics "$@"\n' "$CHROOT" "$ROOT" >"$SCRATCH/scorer"
    chmod +x "$SCRATCH/scorer"
    mkdir -p "$ROOT$SCRATCH"
    cp -r tests/cases "$SCRATCH"
    cp -r tests/cases "$ROOT$SCRATCH"
    local engine
    for engine in native python; do
        "$CHOSEN_PYTHON" scripts/check_cases.py "$SCRATCH/scorer" --engine $engine "$SCRATCH/cases"
    done
}

# The parts of the standard library that need code of their own, and the packages.
IMPORTS='
import asyncio, bz2, ctypes, decimal, hashlib, json, lzma, sqlite3, ssl, sys, uuid, zlib, zoneinfo
import compression.zstd, concurrent.futures, multiprocessing, xml.etree.ElementTree
import pydantic, pydantic_settings, yaml, certifi, poh_holdmetrics
class Model(pydantic.BaseModel):
    amount: decimal.Decimal
assert Model(amount="1.5").amount == decimal.Decimal("1.5")
assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
assert asyncio.run(asyncio.sleep(0, 7)) == 7
assert len(ssl.create_default_context().get_ca_certs()) > 50
assert zoneinfo.ZoneInfo("Asia/Tokyo").utcoffset(None) is None
outside = [m.__file__ for m in list(sys.modules.values()) if not (getattr(m, "__file__", None) or "/bundle").startswith("/bundle")]
assert not outside, outside
print(sys.version, len(sys.modules))
'
imports() { inside -- /bundle/main_holdmetrics python -c "$IMPORTS"; }

# Nothing is opened but the bundle, the folders of the run, the C library, and what the kernel gives.
files_opened() {
    local outside
    strace -f -qq -e trace=open,openat,execve -o "$SCRATCH/opened" env -i \
        "${IN_ROOT[@]}" /bundle/main_holdmetrics python -c "$IMPORTS"
    # From the start of the program on: chroot reads its own.
    outside=$(sed -n '/execve("\/bundle/,$p' "$SCRATCH/opened" | grep -v ENOENT | grep -o '"/[^"]*"' | tr -d '"' \
        | grep -vE '^/(bundle|work|tmp|proc|dev|sys|lib/x86_64-linux-gnu|lib64)(/|$)|^/$|^/etc/(ld.so.cache|ssl/openssl.cnf|localtime)$' || true)
    [ -z "$outside" ] || { echo "opened outside: $outside"; return 1; }
}

PIPELINE='
import ssl, sqlite3, asyncio
from pydantic import BaseModel
from poh_holdmetrics.pipeline import Batch, Context, Pipeline

VERSION = "first"
pipeline = Pipeline("seen")

class Seen(BaseModel):
    version: str
    rows: int

@pipeline.on_batch()
async def note(batch: Batch, ctx: Context) -> None:
    await asyncio.sleep(0)
    with open("/work/seen.jsonl", "a") as file:
        file.write(Seen(version=VERSION, rows=len(batch)).model_dump_json() + "\n")
'

# Asks until the answer contains $1, at most 20 s.
until_contains() {
    local wanted=$1 attempt
    shift
    for attempt in {1..200}; do
        if "$@" 2>/dev/null | grep -q "$wanted"; then return; fi
        sleep 0.1
    done
    echo "no $wanted from: $*"
    return 1
}

post() { curl -sS --cacert "$SCRATCH/cert.pem" "https://localhost:$PORT/hold" -H 'content-type: application/json' --data "$1"; }

# serve with TLS and a pipeline, a reload, and the end by SIGTERM.
serve() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$SCRATCH/key.pem" -out "$SCRATCH/cert.pem" -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
    cp "$SCRATCH"/{key,cert}.pem "$ROOT/work/"
    chmod 644 "$ROOT"/work/*.pem
    printf '%s' "$PIPELINE" >"$ROOT/work/seen.py"
    chmod 666 "$ROOT/work/seen.py"
    "${POISONED[@]}" "${IN_ROOT[@]}" /bundle/main_holdmetrics serve --data-dir /work/data --http-addr 127.0.0.1:0 --grpc-addr 127.0.0.1:0 \
        --tls-cert /work/cert.pem --tls-key /work/key.pem --pipeline /work/seen.py >"$SCRATCH/said" 2>"$SCRATCH/log" &
    SERVICE=$!
    until_contains listening cat "$SCRATCH/said" || { cat "$SCRATCH/said" "$SCRATCH/log"; return 1; }
    PORT=$(grep -o 'http=127.0.0.1:[0-9]*' "$SCRATCH/said" | grep -o '[0-9]*$')
    post '{"token_id":"t","holder_id":"a","start":0,"end":10000000}'
    until_contains '"first","rows":1' cat "$ROOT/work/seen.jsonl"
    sed 's/"first"/"second"/' -i "$ROOT/work/seen.py"
    kill -HUP "$SERVICE"
    local attempt
    for attempt in {1..50}; do
        post "{\"token_id\":\"t\",\"holder_id\":\"b$attempt\",\"start\":0,\"end\":10000000}" >/dev/null
        if grep -q '"second"' "$ROOT/work/seen.jsonl"; then break; fi
        sleep 0.2
    done
    grep -q '"second"' "$ROOT/work/seen.jsonl" || { cat "$SCRATCH/log"; return 1; }
    kill -TERM "$SERVICE"
    wait "$SERVICE"
    SERVICE=""
}

WHEEL='
import pathlib, zipfile
pathlib.Path("/work/wheels").mkdir()
with zipfile.ZipFile("/work/wheels/poh_probe-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("poh_probe.py", "VERSION = 1\n")
    wheel.writestr("poh_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: poh_probe\nVersion: 1.0\n")
    wheel.writestr("poh_probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("poh_probe-1.0.dist-info/RECORD", "")
'

# pip in the bundle: packages of pipelines, a virtual environment, and nothing into the bundle itself.
packages() {
    local said offline=(--no-index --find-links /work/wheels poh_probe)
    inside -- /bundle/main_holdmetrics python -c "$WHEEL"
    inside -- /bundle/main_holdmetrics py install --data-dir /work/packages "${offline[@]}"
    inside -- /bundle/main_holdmetrics py list --data-dir /work/packages | grep 'poh_probe 1.0'
    said=$(inside HOME=/work -- /bundle/main_holdmetrics python -m pip install "${offline[@]}" 2>&1) && return 1
    [[ $said == *"main_holdmetrics py install"* ]] || { echo "$said"; return 1; }
    inside -- /bundle/main_holdmetrics python -m venv /work/venv
    inside -- /work/venv/bin/python -V | grep '^Python 3.14'
    inside HOME=/work -- /work/venv/bin/pip install --quiet "${offline[@]}"
    inside -- /work/venv/bin/python -c 'import poh_probe, sys; assert poh_probe.__file__.startswith(sys.prefix + "/")'
}

SPINNER='
import os, time
import poh_probe
from poh_holdmetrics.pipeline import Batch, Context, Pipeline

pipeline = Pipeline("spinner")

@pipeline.on_batch()
def spin_for_long(batch: Batch, ctx: Context) -> None:
    open("/work/began", "w").close()
    while not os.path.exists("/work/enough"):
        pass
    os.rename("/work/began", "/work/ended")
'

# A handler that never ends is named from outside, by its stack and among the tasks; the service goes on.
looks() {
    local began said verb
    printf '%s' "$SPINNER" >"$ROOT/work/spinner.py"
    "${POISONED[@]}" "${IN_ROOT[@]}" /bundle/main_holdmetrics serve --data-dir /work/packages --http-addr 127.0.0.1:0 \
        --grpc-addr 127.0.0.1:0 --pipeline /work/spinner.py >"$SCRATCH/said" 2>"$SCRATCH/log" &
    SERVICE=$!
    until_contains listening cat "$SCRATCH/said" || { cat "$SCRATCH/said" "$SCRATCH/log"; return 1; }
    PORT=$(grep -o 'http=127.0.0.1:[0-9]*' "$SCRATCH/said" | grep -o '[0-9]*$')
    local event='{"token_id":"t","holder_id":"a","start":0,"end":10000000}'
    curl -sS "http://127.0.0.1:$PORT/hold" -H 'content-type: application/json' --data "$event"
    until_contains began ls "$ROOT/work" || { cat "$SCRATCH/log"; return 1; }
    for verb in stack ps; do
        began=$(date +%s%N)
        said=$(inside -- /bundle/main_holdmetrics py $verb "$SERVICE")
        echo "py $verb: $((($(date +%s%N) - began) / 1000000)) ms"
        grep -E 'spinner.py"?(, line |:)1[0-9]\b' <<<"$said" | grep spin_for_long || { echo "$said"; return 1; }
    done
    # pdb talks to itself over a socket of localhost, which has no address in an empty root.
    said=$(echo q | inside -- /bundle/main_holdmetrics py pdb "$SERVICE" 2>&1) && return 1
    [[ $said == *"/etc/hosts"* ]] || { echo "$said"; return 1; }
    mkdir "$ROOT/etc"
    echo "127.0.0.1 localhost" >"$ROOT/etc/hosts"
    said=$(echo q | inside -- /bundle/main_holdmetrics py pdb "$SERVICE")
    [[ $said == *"(Pdb)"* ]] || { echo "$said"; return 1; }
    touch "$ROOT/work/enough"
    until_contains ended ls "$ROOT/work" || { cat "$SCRATCH/log"; return 1; }
    kill -TERM "$SERVICE"
    wait "$SERVICE"
    SERVICE=""
}

# Elsewhere, through a symbolic link, and where nothing can be written.
moved() {
    mkdir -p "$ROOT/else where"
    mv "$ROOT/bundle" "$ROOT/else where/ブ"
    ln -s "/else where/ブ/main_holdmetrics" "$ROOT/work/linked"
    inside -- /work/linked python -c 'import sys, pydantic; assert "/else where/ブ/" in sys.executable, sys.executable'
    rm "$ROOT/work/linked"
    mv "$ROOT/else where/ブ" "$ROOT/bundle"
    mount --bind "$ROOT/bundle" "$ROOT/sealed"
    mount -o remount,ro,bind "$ROOT/sealed"
    inside -- /sealed/main_holdmetrics doctor >/dev/null
    umount "$ROOT/sealed"
}

# Two folders run at the same time, each with its own interpreter and packages alone.
side_by_side() {
    local folder pids=() pid
    cp -a "$ROOT/bundle" "$ROOT/other"
    for folder in bundle other; do
        echo "FOLDER = '/$folder/'" >"$ROOT/$folder/embed_runtime/site/which.py"
        inside -- "/$folder/main_holdmetrics" python -c '
import sys, time, pydantic, which
time.sleep(1)
others = [m.__file__ for m in list(sys.modules.values()) if not (getattr(m, "__file__", None) or which.FOLDER).startswith(which.FOLDER)]
assert sys.executable.startswith(which.FOLDER) and not others, (sys.executable, others)
assert which.FOLDER == sys.argv[1], which.FOLDER' "/$folder/" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    rm -r "$ROOT/other" "$ROOT/bundle/embed_runtime/site/which.py"
}

# Every byte, by sha256sum and by the program; a changed and an added file are named.
manifest() {
    local said
    (cd "$ROOT/bundle" && awk '{digest=$1; $1=$2=""; print digest "  " substr($0, 3)}' embed_runtime/manifest.txt | sha256sum --check --quiet)
    inside -- /bundle/main_holdmetrics self verify
    cp -a "$ROOT/bundle" "$ROOT/damaged"
    echo "# more" >>"$ROOT/damaged/embed_runtime/site/yaml/__init__.py"
    echo "" >"$ROOT/damaged/embed_runtime/site/added.pth"
    said=$(inside -- /damaged/main_holdmetrics self verify) && return 1
    rm -r "$ROOT/damaged"
    [[ $said == *yaml/__init__.py*added.pth* ]] || { echo "$said"; return 1; }
}

# What is printed and packed about the program.
described() {
    inside -- /bundle/main_holdmetrics self info
    inside -- /bundle/main_holdmetrics --version --verbose | grep -x 'package  *pydantic .*'
    bash -n "$ROOT/bundle/share/completions/main_holdmetrics.bash"
    grep -q 'main_holdmetrics' "$ROOT/bundle/share/man/man1/main_holdmetrics-serve.1"
    # An archive that a user has unpacked is the user's.
    if inside -- /bundle/main_holdmetrics self remove; then return 1; fi
}

# Unpacked once, also by several at once; repaired; refused in one sentence where nothing can be written.
one_file() {
    local one=$ROOT/work/one began unpacked said pids=() pid
    cp "$1" "$one"
    began=$(date +%s%N)
    for _ in 1 2 3; do inside POH_BUNDLE_CACHE=/work/cache -- /work/one --version & pids+=($!); done
    for pid in "${pids[@]}"; do wait "$pid"; done
    echo "three first starts at once: $((($(date +%s%N) - began) / 1000000)) ms"
    unpacked=("$ROOT"/work/cache/*/)
    [ ${#unpacked[@]} = 1 ] || { echo "unpacked into ${unpacked[*]}"; return 1; }
    inside POH_BUNDLE_CACHE=/work/cache -- /work/one self verify
    echo damaged >>"${unpacked[0]}embed_runtime/site/certifi/cacert.pem"
    inside POH_BUNDLE_CACHE=/work/cache -- /work/one --version
    if grep -q damaged "${unpacked[0]}embed_runtime/site/certifi/cacert.pem"; then return 1; fi
    said=$(inside POH_BUNDLE_CACHE=/poison/cache -- /work/one --version 2>&1) && return 1
    [[ $said == *POH_BUNDLE_CACHE* && $(wc -l <<<"$said") = 1 ]] || { echo "$said"; return 1; }
    inside POH_BUNDLE_CACHE=/work/cache -- /work/one self remove
    [ ! -e "${unpacked[0]}" ]
    # One byte of the payload: nothing is left behind.
    printf 'x' | dd of="$one" bs=1 seek=$(($(stat -c %s "$one") / 2)) conv=notrunc status=none
    said=$(inside POH_BUNDLE_CACHE=/work/other -- /work/one --version 2>&1) && return 1
    [ -z "$(find "$ROOT/work/other" -mindepth 1 -type d)" ] || { echo "left behind"; return 1; }
}

use_python
folder=${1:-}
one=""
if [ -z "$folder" ]; then
    one=$(find dist -name 'main_holdmetrics-*-linux-x86_64' -type f | sort -V | tail -1)
    [ -n "$one" ] || die "dist/ has no bundle: make bundle"
    (cd dist && sha256sum --check --quiet --ignore-missing SHA256SUMS)
    tar -C "$SCRATCH" -xf "$one.tar.zst"
    folder=$SCRATCH/$(basename "$one")
fi
make_root "$folder"
step "the manifest" manifest
step "version, completions, manual pages" described
step "doctor" doctor
step "conformance cases, both engines" conformance
step "imports" imports
if command -v strace >/dev/null; then
    step "files opened" files_opened
else
    not_run "files opened" "strace is not installed"
fi
step "serve with TLS, a pipeline and a reload" serve
step "packages, and a virtual environment" packages
step "a look into a service from outside" looks
step "moved, linked, sealed" moved
step "two versions side by side" side_by_side
if [ -n "$one" ]; then step "one file" one_file "$one"; fi
finish
