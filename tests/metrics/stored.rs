//! Two small samples whose figures `tools/check_report.py` has computed with NumPy and SciPy.

use crate::{compare, random};

/// JSD, W1, KS, its probability, area difference, separation power.
type Distances = [f64; 6];

/// Of layers, then of images.
const VISIBLE_ENERGY: [Distances; 2] = [
    [
        0.15343249861088454,
        0.3195737436948547,
        0.1275,
        0.10135177141527839,
        0.3975,
        0.24572114777333687,
    ],
    [
        0.10453106677760463,
        0.11277228417973675,
        0.10125,
        0.30055251109844044,
        0.325,
        0.17237727632946148,
    ],
];
const CELL_ENERGY: [Distances; 2] = [
    [
        0.004590611476873337,
        0.009173342037337384,
        0.025241361210198376,
        0.36221224355060355,
        0.05003262268576194,
        0.008342238971287313,
    ],
    [
        0.01927093694772382,
        0.021611144384124023,
        0.048941044529329125,
        0.41232555810456095,
        0.12070990035897608,
        0.03343398433246293,
    ],
];
const COG_X: [Distances; 2] = [
    [
        0.11163662880541625,
        0.04435074706243724,
        0.06,
        0.8865744690501125,
        0.32625,
        0.18056525946770796,
    ],
    [
        0.13980833462808048,
        0.16587885710624578,
        0.09886363636363638,
        0.3338631742858289,
        0.35631313131313136,
        0.22207723581598365,
    ],
];
const LAYERS: [[f64; 3]; 2] = [
    [
        0.005910615205358714,
        0.11616271388502612,
        0.04610786553863714,
    ],
    [
        -0.04016253722946222,
        -0.010479126879359577,
        -0.06850288766536063,
    ],
];
const DEPTH: [f64; 10] = [
    1.3346798141444307,
    1.4795288529096176,
    1.4900481113137547,
    1.5194634198309722,
    1.499943332456869,
    1.502907770181522,
    1.4794505590118734,
    1.4623660200807318,
    1.472414217753507,
    1.5610738870952103,
];
/// √JSD and JSD, then √JSD and the largest difference of correlations of the halves.
const SUMS: [[f64; 4]; 2] = [
    [
        0.1697520101247185,
        0.055138306973648576,
        0.21188674528430843,
        0.3709150205344387,
    ],
    [
        0.09901880861635372,
        0.02305088598138183,
        0.12362156219340331,
        0.3860981131543877,
    ],
];

#[track_caller]
fn near(found: impl Into<Option<f64>>, want: f64) {
    let found = found.into().unwrap();
    assert!(
        (found - want).abs() <= 1e-6 * want.abs(),
        "found {found}, expected {want}"
    );
}

#[test]
fn small_samples_have_the_figures_of_scipy() {
    for (case, layers) in [4, 1].into_iter().enumerate() {
        let shape = [layers, 5, 3];
        let report = compare(&random(shape, 200, 1), &random(shape, 160, 2));
        for (name, want) in [
            ("visible_energy", VISIBLE_ENERGY),
            ("cell_energy", CELL_ENERGY),
            ("cog_x", COG_X),
        ] {
            let o = report.figures.observable(name).unwrap();
            let [jsd, w1, ks, p, area, separation] = want[case];
            for (found, want) in [
                (o.jsd, jsd),
                (o.wasserstein1, w1),
                (o.ks, ks),
                (o.area_difference, area),
                (o.separation_power, separation),
            ] {
                near(found, want);
            }
            // A series in 1/√n that ends before n^-3/2.
            assert!((o.ks_p_value.unwrap() / p - 1.0).abs() <= 1e-4, "{name}");
        }
        let halves = &report.halves.as_ref().unwrap().figures;
        let found = [
            report.figures.fidelity_score,
            report.figures.fidelity_score_jsd,
            halves.fidelity_score,
            halves.correlation.max_abs_difference,
        ];
        found
            .into_iter()
            .zip(SUMS[case])
            .for_each(|(found, want)| near(found, want));
        if layers == 1 {
            let sums = report.figures.channel_sums.as_ref().unwrap();
            near(sums.mae, 0.41030724738215213);
            near(sums.wasserstein1, 0.03852724602560921);
            near(sums.response_centre_mae, 1.1889028014064509);
            // Showers of the halves do not belong together.
            let sums = halves.channel_sums.as_ref().unwrap();
            assert_eq!((sums.mae, sums.response_centre_mae), (None, None));
            assert!(report.figures.layer_correlation.is_none() && report.figures.depth.is_none());
            continue;
        }
        let found = report.figures.layer_correlation.as_ref().unwrap();
        for (side, want) in [&found.reference, &found.generated].into_iter().zip(LAYERS) {
            side.iter()
                .zip(want)
                .for_each(|(found, want)| near(*found, want));
        }
        let depth = report.figures.depth.as_ref().unwrap();
        depth
            .generated
            .iter()
            .zip(DEPTH)
            .for_each(|(found, want)| near(*found, want));
        near(
            report.figures.profiles.radial.as_ref().unwrap().jsd,
            4.77168537756403e-05,
        );
    }
}
