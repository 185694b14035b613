#!/usr/bin/env bash
# One run of the suite of the Python packages, as test.sh and noxfile.py make it.
#
#   pytest.sh SOURCE PYTHON [ARGUMENT]...
#
# SOURCE is the native code that the suite must find: none, extension or host. The rest is the command of an
# interpreter. The files of the suite are shared out among two processes of it: many tests wait, and with more
# processes than cores some would miss their deadlines. Tests with the marker `services` are left out; services.sh
# runs them.
set -euo pipefail
cd "$(dirname "$0")/.."

command=$(printf '%q ' "${@:2}")
POH_EXPECT_NATIVE=$1 exec "${@:2}" -m pytest -q -p no:cacheprovider -m "not services" \
    --dist loadfile --tx "2*popen//python=${command% }" python_pkg
