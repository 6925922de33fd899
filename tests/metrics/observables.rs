//! What is computed of single showers.

use calogen::observables::{
    Calice, Collect, Geometry, MemorySample, Observables, PolarLayer, Sample, ShowerStart, rings,
};

use crate::{close, info, sample};

fn collect(sample: &dyn Sample, threshold: f64) -> Observables {
    let how = Collect {
        threshold,
        exact_cells: 1000,
        ..Collect::default()
    };
    Observables::collect(sample, &how).unwrap()
}

fn column<'a>(all: &'a Observables, name: &str) -> &'a [f64] {
    &all.column(name).unwrap().values
}

/// [Z, X, Y] = [3, 2, 2].
const TWO: [f64; 24] = [
    0., 0., 0., 0., /**/ 1., 0., 0., 3., /**/ 0., 4., 0., 0., //
    2., 2., 2., 2., /**/ 0., 0., 0., 0., /**/ 0., 0., 0., 0.,
];

#[test]
fn two_showers_by_hand() {
    let all = collect(&sample([3, 2, 2], &TWO, &[4.0, 0.0]), 0.0);
    let want: [(&str, &[f64]); 13] = [
        ("visible_energy", &[8.0, 8.0]),
        ("n_hits", &[3.0, 4.0]),
        ("response", &[2.0]),
        ("cog_x", &[3.0 / 8.0, 0.5]),
        ("cog_y", &[7.0 / 8.0, 0.5]),
        ("cog_z", &[1.5, 0.0]),
        ("width_x", &[15.0 / 64.0, 0.25]),
        ("width_y", &[7.0 / 64.0, 0.25]),
        ("width_z", &[0.25, 0.0]),
        ("e1_fraction", &[0.0, 1.0]),
        ("e2_fraction", &[0.5, 0.0]),
        ("e3_fraction", &[0.5, 0.0]),
        ("shower_start", &[1.0, 0.0]),
    ];
    assert_eq!(
        all.columns
            .iter()
            .map(|c| c.name.as_str())
            .collect::<Vec<_>>(),
        want.map(|(name, _)| name)
    );
    for (name, want) in want {
        assert_eq!(column(&all, name), want, "{name}");
    }
    let sums = all.sums();
    assert_eq!(sums.layer_hits.draw(0).collect::<Vec<_>>(), [4.0, 2.0, 1.0]);
    assert_eq!(sums.cells.count(), 7);
    assert_eq!(sums.energy[..5], [2.0, 2.0, 2.0, 2.0, 1.0]);
}

#[test]
fn blocks_do_not_matter() {
    let cells: Vec<f64> = TWO.iter().cycle().take(24 * 5).copied().collect();
    let energy = [1.0; 10];
    let of = |block| {
        collect(
            &MemorySample::new(info("a", [3, 2, 2]), cells.clone(), energy.to_vec(), block),
            0.0,
        )
    };
    let (a, b) = (of(1), of(100));
    assert_eq!((a.events(), b.events()), (10, 10));
    assert!(
        a.columns
            .iter()
            .zip(&b.columns)
            .all(|(a, b)| a.values == b.values)
    );
}

#[test]
fn threshold_is_compared_as_stored() {
    let stored = f64::from(0.0428f32);
    let below = f64::from(f32::from_bits(0.0428f32.to_bits() - 1));
    let cells = [stored, below, -1.0, f64::NAN];
    let mut info = info("a", [1, 2, 2]);
    let single = MemorySample::new(info.clone(), cells.to_vec(), vec![1.0], 1);
    assert_eq!(
        column(&collect(&single, 0.0428), "visible_energy"),
        [stored]
    );
    info.single = false;
    let double = MemorySample::new(
        info,
        vec![0.0428, 0.0428 * (1.0 - 1e-15), 0.0, 0.0],
        vec![1.0],
        1,
    );
    assert_eq!(
        column(&collect(&double, 0.0428), "visible_energy"),
        [0.0428]
    );
    // A negative threshold does not let noise in.
    assert_eq!(column(&collect(&single, -5.0), "n_hits"), [2.0]);
}

#[test]
fn empty_showers_are_left_out_of_the_shape() {
    let all = collect(&sample([3, 2, 2], &TWO, &[4.0, 4.0]), 2.5);
    assert_eq!(column(&all, "visible_energy"), [7.0, 0.0]);
    assert_eq!(column(&all, "response"), [1.75, 0.0]);
    assert_eq!(column(&all, "cog_z"), [1.0 + 4.0 / 7.0]);
    assert_eq!(column(&all, "shower_start"), [1.0]);
}

#[test]
fn thirds_are_rounded_down() {
    let energies: Vec<f64> = (1..=5).map(f64::from).collect();
    let all = collect(&sample([5, 1, 1], &energies, &[1.0]), 0.0);
    // Layers [0, 1), [1, 3), [3, 5).
    close(column(&all, "e1_fraction")[0], 1.0 / 15.0);
    close(column(&all, "e2_fraction")[0], 5.0 / 15.0);
    close(column(&all, "e3_fraction")[0], 9.0 / 15.0);
    let two = collect(&sample([2, 1, 1], &[1.0, 1.0], &[1.0]), 0.0);
    assert!(two.column("e1_fraction").is_none());
}

#[test]
fn start_is_the_first_layer_of_5_percent() {
    let find = |layers: &[f64]| ShowerStart::Fraction.find(layers, &vec![1; layers.len()], 10.0);
    assert_eq!(find(&[0.0, 4.9, 5.0, 100.0]), Some(2));
    assert_eq!(find(&[0.0, 0.0]), None);
}

#[test]
fn calice_start_needs_energy_and_hits() {
    let start = ShowerStart::Calice(Calice {
        window: 2,
        ..Calice::default()
    });
    // At 10 GeV more than 7 MIP and 7.09 hits. Averages over two layers: 1, 1, 3, 5, 5.
    let layers = [1.0, 1.0, 5.0, 5.0, 5.0];
    assert_eq!(start.find(&layers, &[1, 1, 4, 4, 4], 10.0), Some(2));
    assert_eq!(start.find(&layers, &[1, 1, 3, 3, 5], 10.0), Some(3));
    assert_eq!(start.find(&layers, &[1, 1, 3, 3, 3], 10.0), None);
    assert_eq!(start.find(&layers, &[9; 5], 0.0), None);
    let mip = ShowerStart::Calice(Calice {
        window: 2,
        mip: 2.0,
        ..Calice::default()
    });
    assert_eq!(mip.find(&layers, &[9; 5], 10.0), None);
}

#[test]
fn rings_about_the_centre() {
    // 4 × 4: the four central cells have r = 0.71; (0, 1) and its like 1.58, the corners 2.12.
    let cells = |nx, ny| {
        let mut counts = [0; 3];
        rings(nx, ny).into_iter().for_each(|ring| counts[ring] += 1);
        counts
    };
    assert_eq!(cells(4, 4), [4, 8, 4]);
    // 3 × 1: distances 1, 0, 1.
    assert_eq!(rings(3, 1), [1, 0, 1]);
    assert_eq!(rings(30, 30).into_iter().max(), Some(20));
}

#[test]
fn channels_of_an_image() {
    // 3 × 3, cut at 1: odd cells to the fifth channel, the rest by quadrant.
    let image: Vec<f64> = (0..9).map(|i| f64::from(1 << i)).collect();
    let all = collect(&sample([1, 3, 3], &image, &[1.0]), 0.0);
    let sums = all.channels.unwrap().map(|channel| channel[0]);
    assert_eq!(
        sums,
        [1.0, 4.0, 64.0, 16.0 + 256.0, 2.0 + 8.0 + 32.0 + 128.0]
    );
    assert!(
        collect(&sample([3, 2, 2], &TWO, &[4.0, 4.0]), 0.0)
            .channels
            .is_none()
    );
}

#[test]
fn what_is_not_finite_is_named() {
    let error = |cells: &[f64], energy: &[f64]| {
        let sample = sample([1, 1, 1], cells, energy);
        Observables::collect(&sample, &Collect::default())
            .unwrap_err()
            .to_string()
    };
    let infinite = error(&[1.0, 1.0, 1.0, 1.0, f64::INFINITY], &[1.0; 5]);
    assert_eq!(
        infinite,
        "sample.h5: shower 4 has a cell energy that is not finite"
    );
    assert!(error(&[1.0], &[f64::NAN]).contains("shower 0 has an incident energy"));
    assert_eq!(error(&[], &[]), "sample.h5: holds no showers");
    assert!(error(&[1.0, 2.0], &[1.0]).contains("2 cells for 1 incident energies"));
}

/// One voxel layer of 2 r bins, none of α; one of 1 × 4.
fn polar() -> Geometry {
    let inner = PolarLayer {
        id: 0,
        r_edges: vec![0.0, 2.0, 6.0],
        alpha_bins: 1,
    };
    let outer = PolarLayer {
        id: 12,
        r_edges: vec![0.0, 20.0],
        alpha_bins: 4,
    };
    Geometry::Polar(vec![inner, outer])
}

#[test]
fn voxels_in_r_and_alpha() {
    let mut info = info("a", [1, 1, 1]);
    info.geometry = polar();
    assert_eq!((info.geometry.cells(), info.geometry.layers()), (6, 2));
    // r of 1 and 4 in the inner layer, 10 in the outer one at α = −135°, −45°, 45°, 135°.
    let cells = [3.0, 1.0, 2.0, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let all = collect(
        &MemorySample::new(info, cells.to_vec(), vec![1.0, 1.0], 2),
        0.0,
    );
    let first = |name: &str| column(&all, name)[0];
    close(first("cog_z"), 0.5);
    close(first("width_z"), 0.25);
    close(first("ec_r_layer_0"), 7.0 / 4.0);
    close(
        first("width_r_layer_0"),
        (19.0f64 / 4.0 - 49.0 / 16.0).sqrt(),
    );
    close(first("ec_eta_layer_12"), 0.0);
    close(first("width_eta_layer_12"), 50f64.sqrt());
    close(first("ec_phi_layer_12"), -(50f64.sqrt()));
    close(first("ec_r_layer_12"), 10.0);
    assert_eq!(column(&all, "ec_r_layer_12")[1], 0.0);
    assert!(all.column("cog_x").is_none() && all.column("ec_eta_layer_0").is_none());
    assert!(all.column("e1_fraction").is_none());
}
