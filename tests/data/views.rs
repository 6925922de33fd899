//! Showers seen in part, or summed over layers.

use calogen::data::{ShowerSet, Showers, View};

use super::{CELLS, SHAPE, cells, file, plain, says, showers};

#[test]
fn a_crop_holds_its_cells_in_order() {
    let view = View::between(SHAPE, [1, 2, 3], Some([1, 1, 2])).unwrap();
    let cut = view.apply(showers(3));
    assert_eq!(cut.shape, [1, 2, 3]);
    let all = cells(3);
    let mut wanted = Vec::new();
    for event in 0..3 {
        for x in 1..3 {
            for y in 2..5 {
                wanted.push(all[event * CELLS + 15 + x * 5 + y]);
            }
        }
    }
    assert_eq!(cut.layers, wanted);
    assert_eq!(cut.energy, showers(3).energy);
}

#[test]
fn a_sum_over_layers_is_an_image() {
    let image = View::between(SHAPE, [1, 3, 5], None)
        .unwrap()
        .apply(showers(2));
    let all = cells(2);
    let wanted = (0..2).flat_map(|e| {
        let all = &all;
        (0..15).map(move |i| all[e * CELLS + i] + all[e * CELLS + 15 + i])
    });
    assert_eq!(image.layers, wanted.collect::<Vec<_>>());
    assert_eq!(View::between(SHAPE, SHAPE, None).unwrap(), View::Whole);
}

#[test]
fn fewer_layers_are_sums_of_neighbours() {
    let all = cells(2);
    for (left, block) in [(3, 2), (2, 3)] {
        let showers = Showers {
            shape: [6, 1, 5],
            ..showers(2)
        };
        let view = View::between(showers.shape, [left, 1, 5], None).unwrap();
        let sums = view.apply(showers);
        assert_eq!(sums.shape, [left, 1, 5]);
        let mut wanted = Vec::new();
        for layer in all.chunks(block * 5) {
            wanted.extend((0..5).map(|i| (0..block).map(|z| layer[z * 5 + i]).sum::<f32>()));
        }
        assert_eq!(sums.layers, wanted);
    }
}

#[test]
fn layers_that_do_not_divide_are_an_error() {
    for layers in [4, 0, 12] {
        let error = View::between([6, 1, 5], [layers, 1, 5], None).unwrap_err();
        let to = format!("[{layers}, 1, 5]");
        says(&error.to_string(), &["[6, 1, 5]", &to, "multiple"]);
    }
}

#[test]
fn what_does_not_fit_is_an_error_that_says_both_shapes() {
    for (to, origin) in [
        ([2, 3, 4], None),
        ([1, 3, 4], None),
        ([2, 3, 5], Some([1, 0, 0])),
    ] {
        let message = View::between(SHAPE, to, origin).unwrap_err().to_string();
        says(&message, &["[2, 3, 5]", &format!("{to:?}")]);
    }
}

#[test]
fn a_set_in_a_view_says_and_gives_that_shape() {
    let (_folder, path) = file(|f| plain(f, 4));
    let set = ShowerSet::open([&path]).unwrap();
    let set = set.viewed([2, 1, 5], Some([0, 2, 0])).unwrap();
    assert_eq!(set.info().shape, [2, 1, 5]);
    let part = set.read(1..3).unwrap();
    assert_eq!((part.shape, part.layers.len()), ([2, 1, 5], 20));
    assert_eq!(part.layers[..5], cells(4)[CELLS + 10..CELLS + 15]);
    assert_eq!(set.read(2..2).unwrap().shape, [2, 1, 5]);
}
