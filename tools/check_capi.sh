#!/usr/bin/env bash
# Builds the C interface, and builds and runs the C, C++ and Python examples with it.
#   tools/check_capi.sh [dev|release]     the profile whose builds may be there already (default: release)

# shellcheck source-path=SCRIPTDIR source=setup.sh
. "$(dirname "$0")/setup.sh"

profile=${1:-release}
folder=$profile
[ "$profile" != dev ] || folder=debug
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
weights=tools/weights/hgcal-small.safetensors

cp Cargo.lock tools/capi/Cargo.lock # the same versions
CARGO_TARGET_DIR=$target cargo build --profile "$profile" --manifest-path tools/capi/Cargo.toml
library=$(cd "$target/$folder" && pwd)

warnings="-Wall -Wextra -Werror -pedantic"
# shellcheck disable=SC2086 # lists of words
build() { # COMPILER OUTPUT SOURCE [FLAGS]
    "$1" $warnings -O1 -Itools/capi -o "$work/$2" "$3" "${@:4}" -L"$library" -lcalogen "-Wl,-rpath,$library"
}
build cc showers tools/capi/examples/showers.c -std=c11
"$work/showers" "$weights"
build cc misuse tools/capi/examples/misuse.c -std=c11 -lm
"$work/misuse" "$weights"
if command -v c++ >/dev/null; then
    # As the README says, but for the folder of the library.
    read -r -a flags <<<"$(PKG_CONFIG_PATH=tools/capi pkg-config --define-variable=libdir="$library" --cflags --libs calogen)"
    # shellcheck disable=SC2086
    c++ $warnings -O1 -std=c++17 tools/capi/examples/fastsim.cpp "${flags[@]}" -o "$work/fastsim"
    "$work/fastsim" "$weights" 200
else
    echo "fastsim: not built, there is no C++ compiler" >&2
fi
# The static library alone: nothing of calogen is looked for when the program runs.
# shellcheck disable=SC2086
cc $warnings -std=c11 -Itools/capi -o "$work/static" tools/capi/examples/showers.c "$library/libcalogen.a" -lpthread -ldl -lm
"$work/static" "$weights"

python=${PYTHON:-python3}
if "$python" -c 'import numpy' 2>/dev/null; then
    CALOGEN_LIBRARY=$(find "$library" -maxdepth 1 -name 'libcalogen.so' -o -maxdepth 1 -name 'libcalogen.dylib' | head -1)
    export CALOGEN_LIBRARY
    PYTHONDONTWRITEBYTECODE=1 "$python" tools/python/test_calogen.py "$weights"
else
    echo "python: not tested, NumPy is missing" >&2
fi
