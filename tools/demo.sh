#!/usr/bin/env bash
# Builds, generates 5,000 showers, compares them with Geant4 and prints a table.
#
#   tools/demo.sh            from the weights that the repository holds
#   tools/demo.sh train      trains the preset `small` on the bundled sample first (at most 13 minutes)
#   tools/demo.sh WEIGHTS    from a weights file or a run's folder

# shellcheck source-path=SCRIPTDIR source=setup.sh
. "$(dirname "$0")/setup.sh"

reference=tests/data/hgcal_sample.h5
weights=${1:-tools/weights/hgcal-small.safetensors}
out=$target/demo
minutes=13 # of training

cargo build --release
calogen=$target/release/calogen
mkdir -p "$out"

if [ "$weights" = train ]; then
    weights=$out/run
    echo "training hgcal-wgan, preset small, on $reference: at most $minutes minutes"
    limit=()
    if command -v timeout >/dev/null; then
        # An interrupt, at which training saves its weights and stops.
        limit=(timeout --foreground --signal=INT $((minutes * 60)))
    fi
    status=0
    ${limit[@]+"${limit[@]}"} "$calogen" train hgcal-wgan --preset small --config tools/demo.toml --data "$reference" \
        --out "$weights" || status=$?
    case $status in
    0) ;;
    124) echo "the time is up: the weights so far are used" ;;
    *) exit $status ;;
    esac
elif ! [ -e "$weights" ]; then
    die "$weights is not there: name a weights file or a run's folder, or use: tools/demo.sh train"
fi

# The sample has no electrons of 70 GeV, so these go to a file of their own: what is compared holds equal energies.
"$calogen" generate "$weights" --energy 20,32,50,80,90 --events 4165 --seed 1 --out "$out/showers.h5"
"$calogen" generate "$weights" --energy 70 --events 835 --first-event 4165 --seed 1 --out "$out/showers-70GeV.h5"
echo
"$calogen" evaluate --reference "$reference" --generated "$out/showers.h5" --out "$out/report"
cat <<END

showers:  $out/showers.h5, $out/showers-70GeV.h5 (70 GeV is not in the Geant4 sample, so nothing is compared with these)
report:   $out/report/report.html, with figures in report.json beside it
END
