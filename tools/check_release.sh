#!/usr/bin/env bash
# What a release needs: the oldest Rust that Cargo.toml promises, documentation as docs.rs builds it, the package, the
# changes of this version, licences and known holes.
#
#   tools/check_release.sh

# shellcheck source-path=SCRIPTDIR source=setup.sh
. "$(dirname "$0")/setup.sh"

say() { echo "== $*"; }
value() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -1; }
oldest=$(value rust-version) version=$(value version)

say "Rust $oldest"
[ "$oldest" = "$RUST" ] || die "tools/setup.sh asks for Rust $RUST, Cargo.toml for $oldest"
oldest() {
    if [[ $(cargo --version) == "cargo $oldest".* ]]; then
        cargo "$@"
    else
        # With a target folder of its own: another compiler would throw away what is built.
        rustup run "$oldest" cargo --version >/dev/null || die "rustup toolchain install $oldest"
        CARGO_TARGET_DIR=$target/oldest rustup run "$oldest" cargo "$@"
    fi
}
oldest check --locked --all-targets --all-features
oldest check --locked --no-default-features --lib
oldest check --locked --no-default-features --features hdf5 --lib

say "documentation, whole and as docs.rs has it"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --no-default-features --lib

say "package of $version"
grep -q "^### .*$version" README.md || die "README.md, Changes: nothing about $version"
cargo publish --dry-run --locked "$@"

say "licences and known holes"
if command -v cargo-deny >/dev/null; then
    cargo deny --config .deny.toml check bans licenses sources
    cargo deny --config .deny.toml check advisories ||
        die "known holes: see above; their list comes from github.com, which must be in reach"
else
    echo "not checked: cargo install cargo-deny" >&2
fi
