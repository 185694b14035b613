#!/bin/sh
# Prints the path of the Python that the binary is built against, and on standard error why that one.
#
# PYTHON=... decides where it is given; otherwise the best of 3.12, 3.13, 3.14 and 3.11 found on PATH, in
# pyenv or among uv's own, that has a shared libpython. What makes one fit is in python_fitness.py.
# Installs nothing: where none fits, it prints the one command that gets one and exits 1.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
pyenv_root=${PYENV_ROOT:-$HOME/.pyenv}
uv_root=${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}

# The verdict on one executable. A pyenv shim for a version that is not active only prints advice: unfit.
verdict() {
    answer=$("$1" -I "$here/python_fitness.py" 2>/dev/null) || answer="unfit does not run"
    printf '%s\n' "$answer"
}

# Every executable that may be Python $1, one a line, best first. Folder names hold the patch version.
candidates() {
    printf '%s\n' "$PATH" | tr ':' '\n' | while IFS= read -r folder; do
        for name in "python$1" python3; do
            [ ! -x "$folder/$name" ] || printf '%s\n' "$folder/$name"
        done
    done
    for root in "$pyenv_root/versions" "$uv_root"; do
        [ -d "$root" ] || continue
        find "$root" -maxdepth 3 -path "*/bin/python$1" 2>/dev/null | sort -t. -k3,3nr -k4,4nr || true
    done
}

# The one command that gets a fitting Python, by what this machine has.
advice() {
    if command -v pyenv >/dev/null 2>&1; then
        echo "env PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install 3.12"
    elif command -v uv >/dev/null 2>&1; then
        echo "uv python install 3.12"
    elif command -v brew >/dev/null 2>&1; then
        echo "brew install python@3.12"
    else
        for version in 3.12 3.13 3.14 3.11; do
            if apt-cache show "libpython$version-dev" >/dev/null 2>&1; then
                echo "sudo apt-get install -y python$version python$version-venv libpython$version-dev"
                return
            fi
        done
        echo "curl -LsSf https://astral.sh/uv/install.sh | sh && \"\$HOME/.local/bin/uv\" python install 3.12"
    fi
}

# Ends with the interpreter of a verdict that says `fit VERSION EXECUTABLE`.
chosen() {
    found=${1#fit }
    printf 'Python %s: %s (%s)\n' "${found%% *}" "${found#* }" "$2" >&2
    printf '%s\n' "${found#* }"
    exit 0
}

if [ -n "${PYTHON:-}" ]; then
    answer=$(verdict "$PYTHON")
    case $answer in
        fit*) chosen "$answer" "PYTHON=$PYTHON" ;;
    esac
    printf 'PYTHON=%s: it %s. Give another one, or get one with:\n  %s\n' \
        "$PYTHON" "${answer#unfit }" "$(advice)" >&2
    exit 1
fi

refused=""
for version in 3.12 3.13 3.14 3.11; do
    for executable in $(candidates "$version"); do
        answer=$(verdict "$executable")
        case $answer in
            "fit $version."*) chosen "$answer" "the best found" ;;
            fit*) ;; # another version; its own turn comes, or has been
            *) refused="$refused  $executable ${answer#unfit }
" ;;
        esac
    done
done

printf 'No Python 3.12, 3.13, 3.14 or 3.11 with a shared libpython was found on PATH, in %s or in %s.\n' \
    "$pyenv_root/versions" "$uv_root" >&2
[ -z "$refused" ] || printf 'Looked at:\n%s' "$(printf '%s' "$refused" | sort -u)
" >&2
printf 'Get one with:\n  %s\n' "$(advice)" >&2
exit 1
