#!/usr/bin/env bash
# Makes .venv with everything the project needs. A second call finds nothing to do, a call after an
# interrupted one goes on where that stopped. `make` calls it; by hand: bash tools/setup.sh
#
#   PYTHON          the interpreter to use (default: the first that fits, see below)
#   MAX_JOBS        compilers that run at a time (default: as many as cores and memory allow)
#   PIP_FIND_LINKS  a folder of wheels; an onedl-mmcv wheel in it that works here saves the build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

candidates='python3.11 python3.12 python3.10 python3'
venv=.venv
stamp=$venv/.semcl_mm_setup
log=.build/setup.log
install_hint='Install Python 3.11 with venv and headers (Debian/Ubuntu: python3.11-venv python3.11-dev; without root: pyenv, uv or conda)'
child=
started=$SECONDS

# pip itself refuses to work outside an environment: nothing here may reach the Python below it.
export PIP_REQUIRE_VIRTUALENV=1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0 PYTHONNOUSERSITE=1
unset PYTHONHOME PYTHONPATH

fail() {
    printf 'error: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

duration() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }

phase() { printf '[setup %9s] %s\n' "$(duration $((SECONDS - started)))" "$1"; }

# What the stamp must hold: the same files, Python and folder (an editable install knows its folder).
fingerprint() {
    "$venv/bin/python" -c '
import hashlib, pathlib, sys
digest = hashlib.sha256(sys.version.encode() + str(pathlib.Path.cwd()).encode())
for name in ("requirements.txt", "pyproject.toml", "setup.py", "semcl_mm/datasets/_png_rows.c"):
    digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())' 2>/dev/null
}

# Is .venv/bin/python really that of an environment here, and not a link to the Python below it?
is_environment() {
    [ -x $venv/bin/python ] && [ -f $venv/pyvenv.cfg ] && $venv/bin/python -c '
import pathlib, sys
here = pathlib.Path(sys.argv[1]).resolve()
sys.exit(sys.prefix == sys.base_prefix or pathlib.Path(sys.prefix).resolve() != here)' $venv 2>/dev/null &&
        $venv/bin/python -m pip --version >/dev/null 2>&1
}

# Says what is wrong with an interpreter; silent where it will do.
objection() {
    local version include
    command -v "$1" >/dev/null 2>&1 || { echo 'not found'; return; }
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        { echo 'found, but it does not start'; return; }
    case $version in
        3.10 | 3.11 | 3.12) ;;
        *) echo "is Python $version; 3.10, 3.11 or 3.12 is needed"; return ;;
    esac
    "$1" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
        { echo "cannot make environments: install python$version-venv"; return; }
    "$1" -c 'import bz2, ctypes, lzma, ssl' >/dev/null 2>&1 ||
        { echo "was built without bz2, ctypes, lzma or ssl: take another build"; return; }
    include=$("$1" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    [ -f "$include/Python.h" ] || echo "has no $include/Python.h: install python$version-dev"
}

choose_python() {
    local name reason reasons=()
    for name in ${PYTHON:-$candidates}; do
        reason=$(objection "$name")
        [ -z "$reason" ] && { python=$name; return; }
        reasons+=("$name: $reason")
    done
    fail 'no Python that will do' "${reasons[@]}" \
        "$install_hint" 'or name one that is there: make PYTHON=/path/to/python3.11 ...'
}

check_tools() {
    local tool compiler=${CXX:-g++} free
    for tool in git make "${CC:-gcc}" "$compiler"; do
        command -v "${tool%% *}" >/dev/null 2>&1 || fail "$tool is missing" \
            "Install it (Debian/Ubuntu: apt install git make gcc g++) and run the same command again."
    done
    echo '#include <optional>' | $compiler -std=c++17 -fsyntax-only -x c++ - 2>/dev/null ||
        fail "$compiler does not compile C++17" 'Install g++ 9 or newer (Debian/Ubuntu: apt install g++) or set CXX.'
    free=$(df -Pk . | awk 'NR == 2 {print int($4 / 1024 / 1024)}')
    if [ ! -e "$stamp" ] && [ "$free" -lt 7 ] && ! ls -d $venv/lib/python3*/site-packages/torch >/dev/null 2>&1; then
        fail "$free GB are free in $PWD" 'The environment takes 6 GB: free at least 7 GB.'
    fi
}

# step WHAT COMMAND...: the output goes to the log, a line every 15 s shows how far it is.
step() {
    local what=$1 last=$SECONDS status=0 progress
    shift
    printf '\n### %s: %s\n' "$what" "$*" >>"$log"
    : >"$log.step"
    set -m # a group of its own, so that an interrupt also ends the compilers
    "$@" >"$log.step" 2>&1 </dev/null &
    child=$!
    set +m
    while kill -0 "$child" 2>/dev/null; do
        sleep 1
        if [ $((SECONDS - last)) -ge 15 ]; then
            last=$SECONDS
            progress=$(grep -oE '^ *(\[[0-9]+/[0-9]+\]|(Collecting|Downloading|Building|Installing) .{0,50})' "$log.step" |
                tail -n 1 | sed 's/^ *//') || true
            case $progress in Installing*)
                progress="unpacking, $(ls -d $venv/lib/python3*/site-packages/*.dist-info | wc -l) packages are in place" ;;
            esac
            phase "    $what ${progress:+· $progress}"
        fi
    done
    wait "$child" || status=$?
    child=
    cat "$log.step" >>"$log"
    return "$status"
}

must() {
    step "$@" && return
    grep -v '^WARNING' "$log.step" | tail -n 25 | cut -c 1-300 >&2
    fail "$1 failed (see above; everything is in $log)" \
        'Run the same command again when the cause is gone: it goes on here.'
}

stop() {
    [ -z "$child" ] || kill -- "-$child" 2>/dev/null || true
    rm -f "$log.step"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

pip() { "$venv/bin/python" -m pip "$@"; }

# A pip that was killed leaves a package without RECORD, which the next pip takes for installed.
drop_half_written() {
    local folder
    for folder in $venv/lib/python3*/site-packages/*.dist-info; do
        [ -e "$folder/RECORD" ] || rm -rf "$folder"
    done
    rm -rf $venv/lib/python3*/site-packages/~*
}

# Overlapping boxes, one must go: shows that the compiled file loads and fits this torch.
ops_work() {
    (cd / && "$OLDPWD/$venv/bin/python" -c '
import sys, torch
from mmcv.ops import nms
device = sys.argv[1]
boxes = torch.tensor([[0., 0., 10., 10.], [0., 0., 10., 9.], [20., 20., 30., 30.]], device=device)
assert nms(boxes, torch.tensor([.9, .8, .7], device=device), 0.5)[1].tolist() == [0, 2]' "$1")
}

install_ops() {
    local pin installed flavour=cpu device=cpu wheels partial=.build/wheels.partial memory cores torch
    pin=$(grep '^onedl-mmcv==' requirements.txt)
    torch=$(grep '^torch==' requirements.txt)
    if "$venv/bin/python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
        if [ -n "$("$venv/bin/python" -c 'from torch.utils.cpp_extension import CUDA_HOME as home; print(home or "")')" ]; then
            flavour=cuda device=cuda
        else
            export CUDA_VISIBLE_DEVICES= # mmcv would look for nvcc
            phase '    a GPU but no nvcc: the ops are built for the CPU (only detection wants them on the GPU)'
        fi
    fi
    # sed reads to the end: with pipefail a grep -q that leaves early would fail what it found
    installed=$({ pip show "${pin%%==*}" 2>/dev/null || true; } | sed -n 's/^Version: //p')
    if [ "$installed" = "${pin##*==}" ] && step 'a try' ops_work "$device"; then
        return
    fi
    wheels=.build/wheels/${torch/==/-}-$flavour # the compiled file fits one torch only
    cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
    memory=$(awk '/MemAvailable/ {print int($2 / 2000000)}' /proc/meminfo 2>/dev/null || true)
    if [ "${memory:-$cores}" -lt "$cores" ]; then cores=$((memory > 1 ? memory : 1)); fi
    export CFLAGS="${CFLAGS:--g0 -O2}" MAX_JOBS="${MAX_JOBS:-$cores}" MMCV_WITH_OPS=1

    install_wheel() { pip install --no-deps --force-reinstall --no-index --find-links "$wheels" "$pin"; }
    make_wheel() {
        rm -rf "$partial"
        pip wheel -v --no-deps --no-build-isolation --wheel-dir "$partial" "$@" "$pin" &&
            mkdir -p "$wheels" && mv "$partial"/*.whl "$wheels"/ && rmdir "$partial"
    }
    if [ "$flavour" = cpu ] && { step 'the kept wheel' install_wheel || {
        phase "    no kept wheel for this Python: a found one, or the compiler with $MAX_JOBS jobs (7 minutes on 2 cores)"
        must 'mmcv ops' make_wheel && must 'mmcv ops, installation' install_wheel
    }; } && step 'a try' ops_work "$device"; then
        return
    fi
    phase "    compiling the mmcv ops for this torch and $flavour with $MAX_JOBS jobs"
    must 'mmcv ops' make_wheel --no-binary onedl-mmcv --no-cache-dir
    must 'mmcv ops, installation' install_wheel
    must 'a try of the mmcv ops' ops_work "$device"
}

if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ] && [ -z "${PYTHON:-}" ]; then exit 0; fi

mkdir -p .build
if command -v flock >/dev/null 2>&1; then
    exec 9>.build/setup.lock # two makes at a time: the second waits and then finds the work done
    flock -n 9 || { phase 'another setup is at work in this folder: waiting for it' && flock 9; }
fi

if is_environment; then
    python=$venv/bin/python
    if [ -n "${PYTHON:-}" ]; then
        reason=$(objection "$PYTHON")
        [ -z "$reason" ] || fail "$PYTHON $reason" "$install_hint"
        version='import sys; print(*sys.version_info[:2], sep=".")'
        [ "$("$PYTHON" -c "$version")" = "$($python -c "$version")" ] ||
            fail "$venv holds Python $($python -c "$version"), PYTHON asks for $("$PYTHON" -c "$version")" \
                'To have it made anew: make clean-venv, then the same command again.'
    fi
    reason=$(objection "$python")
    [ -z "$reason" ] || fail "the Python of $venv $reason" "Then, if it stays: make clean-venv, and the same command again."
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ]; then exit 0; fi
else
    choose_python
fi
: >"$log"
check_tools
if [ "$python" != $venv/bin/python ]; then
    phase "a new $venv with $("$python" --version 2>&1) ($(command -v "$python"))"
    must "$venv" "$python" -m venv --clear $venv
else
    phase "going on in $venv"
fi
rm -f "$stamp"
drop_half_written

phase 'the pinned packages (torch and its CUDA libraries are 2.5 GB to fetch)'
grep -E '^(pip|setuptools|wheel|packaging|ninja)==' requirements.txt >.build/tools.txt
grep -v '^onedl-mmcv==' requirements.txt >.build/packages.txt
is_environment || fail "$venv is no environment of its own" 'To have it made anew: make clean-venv, then the same command again.'
must 'build tools' pip install --progress-bar off --no-deps -r .build/tools.txt
must 'packages' pip install --progress-bar off --no-deps --no-build-isolation -r .build/packages.txt
phase 'the mmcv ops'
install_ops
phase 'the project itself (editable)'
must 'project' pip install --no-deps --no-build-isolation -e .
phase 'the doctor looks at the result'
must 'the doctor' "$venv/bin/python" -m semcl_mm.doctor
fingerprint >"$stamp.new" && mv "$stamp.new" "$stamp"
phase "ready: $venv ($(du -sh $venv | cut -f 1))"
