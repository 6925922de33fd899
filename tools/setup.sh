# shellcheck shell=bash
# Sourced by the scripts beside it: goes to the repository's root, installs what is missing there (Debian, Ubuntu) or names
# it and exits. Says nothing where nothing is missing, and then needs no network.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RUST=1.95 # rust-version of Cargo.toml

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Is version $1 at least $2?
at_least() {
    local a b
    IFS=. read -r -a a <<<"$1"
    IFS=. read -r -a b <<<"$2"
    ((a[0] > b[0] || (a[0] == b[0] && a[1] >= b[1])))
}

check_rust() {
    command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
    command -v cargo >/dev/null ||
        die "cargo was not found: install Rust $RUST or newer from https://rustup.rs and start this again."
    local version
    version=$(cargo --version) || die "cargo does not run: see its message above."
    version=${version#cargo }
    at_least "${version%% *}" "$RUST" ||
        die "cargo ${version%% *} is too old: Rust $RUST or newer is needed (rustup update stable)."
}

has_compiler() { command -v cc >/dev/null && echo 'int main(void){return 0;}' | cc -x c -o /dev/null - 2>/dev/null; }

has_hdf5() { [ -n "${HDF5_DIR:-}" ] || pkg-config --exists hdf5 2>/dev/null || pkg-config --exists hdf5-serial 2>/dev/null; }

has_adapter() {
    local probe status=0
    probe=$(mktemp -d)
    cc -o "$probe/adapter" tools/adapter.c -ldl && "$probe/adapter" >/dev/null 2>&1 || status=$?
    rm -rf "$probe"
    return $status
}

# Debian's packages for what is missing. Without a compiler it is not known whether there is an adapter.
missing_on_linux() {
    has_compiler || echo gcc libc6-dev
    command -v pkg-config >/dev/null || echo pkg-config
    has_hdf5 || echo libhdf5-dev
    if has_compiler && ! has_adapter; then
        echo libvulkan1 mesa-vulkan-drivers
    fi
}

# Installs the packages given; tries with the package lists that are there before it fetches new ones.
apt_install() {
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || return 1
        root=(sudo)
        [ -t 0 ] || root+=(-n)
    fi
    root+=(env DEBIAN_FRONTEND=noninteractive)
    echo "installing $*" >&2
    local log
    log=$(mktemp)
    if "${root[@]}" apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 ||
        { "${root[@]}" apt-get update && "${root[@]}" apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

check_linux() {
    local missing
    # Twice: the adapter can be looked for once there is a compiler.
    for _ in 1 2; do
        missing=$(missing_on_linux | tr '\n' ' ')
        [ -n "$missing" ] || return 0
        # shellcheck disable=SC2086 # a list of words
        if ! command -v apt-get >/dev/null || ! apt_install $missing; then
            break
        fi
    done
    missing=$(missing_on_linux | tr '\n' ' ')
    [ -z "$missing" ] || die "These are missing and could not be installed (names of Debian's packages): $missing" \
        "Install a C compiler, pkg-config, libhdf5 with headers, the Vulkan loader and a Vulkan driver:" \
        "  Debian, Ubuntu  sudo apt-get install gcc libc6-dev pkg-config libhdf5-dev libvulkan1 mesa-vulkan-drivers" \
        "  Fedora          sudo dnf install gcc pkgconf-pkg-config hdf5-devel vulkan-loader mesa-vulkan-drivers" \
        "  Arch            sudo pacman -S --needed gcc pkgconf hdf5 vulkan-icd-loader vulkan-swrast" \
        "mesa-vulkan-drivers and vulkan-swrast hold the software driver: with a GPU its own driver does as well."
}

check_macos() {
    has_compiler || die "No C compiler: xcode-select --install"
    has_hdf5 || { command -v brew >/dev/null && [ -d "$(brew --prefix hdf5 2>/dev/null)" ]; } ||
        die "libhdf5 was not found: brew install hdf5 (or set HDF5_DIR). Metal needs nothing."
}

check_windows() {
    [ -n "${HDF5_DIR:-}" ] || [ -d "/c/Program Files/HDF_Group/HDF5" ] ||
        die "libhdf5 was not found: install HDF5 of The HDF Group and set HDF5_DIR to its folder." \
            "Rust needs the Visual Studio C++ build tools. DirectX 12 needs nothing."
}

check_rust
case $(uname -s) in
Linux)
    check_linux
    # Without a desktop Mesa's layer that picks a device complains twice a run that it finds none.
    [ -n "${XDG_RUNTIME_DIR:-}" ] || export NODEVICE_SELECT=1
    ;;
Darwin) check_macos ;;
MINGW* | MSYS* | CYGWIN*) check_windows ;;
*) echo "unknown system $(uname -s): Rust, libhdf5 and a Vulkan driver are needed" >&2 ;;
esac

# shellcheck disable=SC2034 # used where this is sourced
target=${CARGO_TARGET_DIR:-target}
