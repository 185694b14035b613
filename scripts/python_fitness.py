"""Says whether the interpreter that runs this file can be built into the binary.

Prints one line: `fit VERSION EXECUTABLE`, or `unfit REASON`. It looks, and changes nothing. It must
run under any Python 3, so it uses no syntax newer than that; `choose_python.sh` reads its answer.
"""

import os
import sys
import sysconfig


def library_paths():
    """Return where the shared libpython of this interpreter may lie, most likely first."""
    name = sysconfig.get_config_var("LDLIBRARY") or ""
    folders = [sysconfig.get_config_var("LIBDIR"), os.path.join(sys.base_prefix, "lib")]
    framework = sysconfig.get_config_var("PYTHONFRAMEWORKPREFIX")
    if framework:
        folders.insert(0, framework)
    return [os.path.join(folder, name) for folder in folders if folder and name]


def why_unfit():
    """Return the first reason against this interpreter, or None where there is none."""
    version = "%d.%d" % sys.version_info[:2]
    if sys.implementation.name != "cpython":
        return "is %s, not CPython" % sys.implementation.name
    if sys.version_info < (3, 11):
        return "is Python %s, and 3.11 or newer is needed" % version
    if sys.version_info >= (3, 15):
        return "is Python %s, and 3.11 to 3.14 are supported" % version
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "is a free-threaded build"
    shared = sysconfig.get_config_var("Py_ENABLE_SHARED") or sysconfig.get_config_var("PYTHONFRAMEWORK")
    if not shared:
        return "was built without a shared libpython"
    if not any(os.path.exists(path) for path in library_paths()):
        return "lacks %s, the shared library to link with" % (library_paths() or ["libpython"])[0]
    try:
        import ensurepip  # noqa: F401, PLC0415 - only whether it is there matters
        import venv  # noqa: F401, PLC0415 - the same
    except ImportError as missing:
        return "cannot make a virtual environment (%s)" % missing
    return None


def main():
    """Print the verdict."""
    reason = why_unfit()
    if reason:
        print("unfit " + reason)
        return
    # Inside a virtual environment the interpreter behind it is meant.
    executable = getattr(sys, "_base_executable", None) or sys.executable
    print("fit %d.%d.%d %s" % (sys.version_info[0], sys.version_info[1], sys.version_info[2], executable))


if __name__ == "__main__":
    main()
