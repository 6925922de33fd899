//! Plots and pages: what they say, what they survive, and that they need nothing from outside.
#![cfg(feature = "report")]

use calogen::report::{
    Axis, Figure, Heatmap, LossTable, Mark, Page, Plot, Role, Scale, Section, Series, Table, Tint,
    losses_plot,
};

fn histogram() -> Figure {
    let edges: Vec<f64> = (0..=8).map(|k| 10f64.powi(k - 2)).collect();
    let reference = vec![0.0, 3.0, 40.0, 500.0, 420.0, 60.0, 2.0, 0.0];
    let generated = vec![1.0, 0.0, 44.0, 480.0, 430.0, 50.0, 5.0, 0.0];
    let error = |y: &[f64]| y.iter().map(|v| v.sqrt()).collect();
    let (reference_error, generated_error) = (error(&reference), error(&generated));
    Figure::new(
        "Cell energy",
        Axis::log("Cell energy [MIP]"),
        Axis::log("Cells"),
    )
    .with(
        Series::steps("Geant4", Role::Reference, edges.clone(), reference)
            .with_error(reference_error),
    )
    .with(
        Series::steps("a < b & \"c\"", Role::Generated(0), edges, generated)
            .with_error(generated_error),
    )
    .with_ratio("gen. / ref.")
}

fn matrix(n: usize) -> Vec<Vec<Option<f64>>> {
    let value = |i: usize, j: usize| {
        if i == j {
            Some(1.0)
        } else {
            Some((i * 7 + j * 5) as f64 % 19.0 / 9.5 - 1.0)
        }
    };
    (0..n)
        .map(|i| (0..n).map(|j| value(i, j)).collect())
        .collect()
}

/// Draws to SVG and PNG; the SVG.
fn draw(plot: impl Into<Plot>) -> String {
    let plot = plot.into();
    let svg = plot.svg().unwrap();
    let folder = tempfile::tempdir().unwrap();
    plot.png(&folder.path().join("plot.png")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert!(
        !svg.contains("NaN") && !svg.contains("inf"),
        "a coordinate is not finite"
    );
    svg
}

fn texts(svg: &str) -> Vec<String> {
    let parts = svg.split("<text ").skip(1);
    parts
        .filter_map(|part| Some(part.split_once('>')?.1.split_once("</text>")?.0.to_owned()))
        .collect()
}

#[test]
fn a_figure_shows_its_labels_once_and_escaped() {
    let svg = draw(histogram());
    let texts = texts(&svg);
    for label in [
        "Cell energy",
        "Cell energy [MIP]",
        "Cells",
        "Geant4",
        "gen. / ref.",
        "a &lt; b &amp; &quot;c&quot;",
    ] {
        assert_eq!(
            texts.iter().filter(|t| *t == label).count(),
            1,
            "{label} in {texts:?}"
        );
    }
    assert!(
        texts.iter().any(|t| t == "10²") && texts.iter().any(|t| t == "10⁻²"),
        "{texts:?}"
    );
}

#[test]
fn drawing_is_deterministic() {
    assert_eq!(draw(histogram()), draw(histogram()));
}

#[test]
fn an_unnamed_series_stays_out_of_the_legend() {
    let figure = Figure::new("", Axis::linear("x"), Axis::linear("y"));
    let named = figure.clone().with(Series::line(
        "name",
        Role::Reference,
        vec![0.0, 1.0],
        vec![1.0, 2.0],
    ));
    let unnamed = figure.with(Series::line(
        "",
        Role::Reference,
        vec![0.0, 1.0],
        vec![1.0, 2.0],
    ));
    assert_eq!(texts(&draw(named)).len(), texts(&draw(unnamed)).len() + 1);
}

#[test]
fn linear_ticks_are_round_and_large_values_share_a_power() {
    let figure = Figure::new(
        "",
        Axis::linear("E [MeV]").with_range(0.0, 2e5),
        Axis::linear("y").with_range(-0.4, 0.4),
    );
    let texts = texts(&draw(figure));
    for tick in ["0", "50", "100", "150", "200", "×10³", "−0.2", "0.0", "0.2"] {
        assert!(texts.iter().any(|t| t == tick), "{tick} in {texts:?}");
    }
}

#[test]
fn hard_values_never_panic() {
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let samples: Vec<Vec<f64>> = vec![
        vec![],
        vec![0.0],
        vec![-3.0],
        vec![7.0; 5],
        vec![0.0; 5],
        bad.to_vec(),
        vec![1.0, f64::NAN, 2.0, f64::INFINITY, -1.0],
        vec![-1.0, 0.0, -5.0],
        vec![f64::MAX, -f64::MAX, 1.0],
        vec![f64::MIN_POSITIVE, 5e-324, 1e-300],
        vec![1.0, 1.0 + 1e-15],
        vec![1e9, 1e9 + 1e-3],
    ];
    let scales = [
        Scale::Linear,
        Scale::Log,
        Scale::SymLog { linear: 1.0 },
        Scale::SymLog { linear: 0.0 },
        Scale::SymLog { linear: f64::NAN },
    ];
    for y in &samples {
        for scale in scales {
            let axis = |range| Axis {
                label: "v".into(),
                scale,
                range,
            };
            for range in [
                None,
                Some((1.0, 1.0)),
                Some((-1.0, f64::NAN)),
                Some((5.0, 2.0)),
                Some((0.5, 3.0)),
            ] {
                let x: Vec<f64> = (0..y.len()).map(|k| k as f64).collect();
                let edges: Vec<f64> = (0..=y.len()).map(|k| k as f64).collect();
                let mut figure = Figure::new("hard", axis(None), axis(range)).with_ratio("ratio");
                for (i, role) in [Role::Reference, Role::Generated(3)]
                    .into_iter()
                    .enumerate()
                {
                    let label = format!("series {i}");
                    figure.series.push(
                        Series::steps(&label, role, edges.clone(), y.clone()).with_error(y.clone()),
                    );
                    figure
                        .series
                        .push(Series::line(&label, role, y.clone(), x.clone()));
                    figure.series.push(
                        Series::points(&label, role, x.clone(), y.clone()).with_error(y.clone()),
                    );
                    figure
                        .series
                        .push(Series::band(&label, role, x.clone(), y.clone(), y.clone()));
                }
                let svg = Plot::from(figure).svg().unwrap();
                assert!(
                    !svg.contains("NaN") && !svg.contains("inf"),
                    "{y:?} {scale:?}"
                );
            }
        }
    }
}

#[test]
fn lengths_that_do_not_match_never_panic() {
    let mark = Mark::Steps {
        edges: vec![0.0, 1.0],
    };
    let odd = Series {
        label: "odd".into(),
        role: Role::Reference,
        mark,
        x: vec![],
        y: vec![1.0; 9],
        error: Some(vec![]),
    };
    let none = Series {
        mark: Mark::Steps { edges: vec![] },
        role: Role::Generated(9),
        ..odd.clone()
    };
    let short = Series::points("short", Role::Generated(1), vec![1.0], vec![1.0, 2.0, 3.0]);
    let descending = Series::steps("down", Role::Reference, vec![3.0, 2.0, 1.0], vec![1.0, 2.0]);
    let figure = Figure::new("", Axis::default(), Axis::default()).with_ratio("");
    draw(figure.with(odd).with(none).with(short).with(descending));
}

#[test]
fn heatmaps_print_names_and_values_and_leave_gaps() {
    let names: Vec<String> = (0..12).map(|k| format!("name{k}")).collect();
    let mut values = matrix(12);
    values[5][2] = None;
    values[6][2] = Some(f64::NAN);
    let panel = Heatmap::correlation("Geant4", &names, values);
    let mut difference = panel.clone();
    difference.range = Some((-0.2, 0.2));
    let title = "Correlation".to_owned();
    let plot = Plot::Heatmaps {
        title,
        panels: vec![panel.clone(), panel.clone(), difference],
    };
    let texts = texts(&draw(plot));
    // Columns in each panel, rows once; a bar for the two that share a scale and one for the third.
    assert_eq!(texts.iter().filter(|t| *t == "name7").count(), 4);
    assert_eq!(texts.iter().filter(|t| *t == "–").count(), 6);
    assert_eq!(texts.iter().filter(|t| *t == "Correlation").count(), 3);
    let whole = Heatmap {
        lower_triangle: false,
        ..panel
    };
    assert!(draw(whole).contains("1.00"));
}

#[test]
fn odd_heatmaps_never_panic() {
    let rows: Vec<Vec<Vec<Option<f64>>>> = vec![
        vec![],
        vec![vec![]],
        vec![vec![None; 3]; 2],
        vec![vec![Some(0.0); 4]; 4],
        vec![vec![Some(1.0)]],
        vec![
            vec![Some(1.0), None],
            vec![Some(f64::INFINITY)],
            vec![Some(-2.0), Some(1e-30), Some(3.0)],
        ],
        vec![vec![Some(f64::MAX), Some(-f64::MAX)]],
    ];
    for values in rows {
        for tint in [Tint::Diverging, Tint::Sequential, Tint::Log] {
            let mut map = Heatmap::image("odd", values.clone(), "Energy [MeV]");
            map.tint = tint;
            map.printed = true;
            draw(map);
        }
    }
    draw(Plot::Heatmaps {
        title: "none".into(),
        panels: vec![],
    });
}

#[test]
fn a_png_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.png");
    Plot::from(histogram()).png(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let size = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert!(
        size(16) == 1280 && size(20) > 960,
        "{} x {}",
        size(16),
        size(20)
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let absent = folder.path().join("absent").join("plot.png");
    let message = Plot::from(histogram())
        .png(&absent)
        .unwrap_err()
        .to_string();
    assert!(message.contains("plot.png"), "{message}");
}

#[test]
fn a_page_needs_nothing_else() {
    let table = Table {
        caption: "Distances".into(),
        columns: vec!["Observable".into(), "JSD".into()],
        rows: vec![
            vec!["n <hits>".into(), "−0.5".into()],
            vec!["E".into(), "–".into()],
        ],
    };
    let page = Page {
        title: "Geant4 & <model>".into(),
        subtitle: "photons".into(),
        meta: vec![("Reference".into(), "a\"b.h5".into())],
        sections: vec![Section {
            heading: "All".into(),
            text: "One.\n\nTwo.".into(),
            tables: vec![table],
            plots: vec![
                histogram().into(),
                Heatmap::image("image", matrix(9), "Energy [MeV]").into(),
            ],
        }],
    };
    let html = page.html().unwrap();
    for part in [
        "<title>Geant4 &amp; &lt;model&gt;</title>",
        "<p>One.</p>",
        "<dd>a&quot;b.h5</dd>",
        "<td>n &lt;hits&gt;</td><td class=\"number\">−0.5</td>",
        "<th>Observable</th><th class=\"number\">JSD</th>",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert_eq!(html.matches("<svg ").count(), 2);
    let outside = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for part in ["http", "<script", "<link", "@import", "url("] {
        assert!(!outside.contains(part), "{part}");
    }
    assert!(Page::default().html().unwrap().contains("</html>"));
}

#[test]
fn losses_are_read_and_named() {
    let mut csv = String::from("step,critic,generator\n");
    for k in 0..1000 {
        let t = f64::from(k);
        csv += &format!(
            "{k},{},{}\n",
            -500.0 * (-t / 90.0).exp() - 0.5,
            if k % 3 == 0 { "" } else { "0.25" }
        );
    }
    let table = LossTable::parse(&csv).unwrap();
    assert_eq!((table.steps.len(), table.losses.len()), (1000, 2));
    assert!(table.losses[1].1[0].is_nan());
    let texts = texts(&draw(losses_plot(&csv, "Training").unwrap()));
    for label in [
        "Training",
        "critic",
        "generator",
        "Step",
        "Loss",
        "−10",
        "0",
    ] {
        assert!(texts.iter().any(|t| t == label), "{label} in {texts:?}");
    }
    draw(losses_plot("step,a\n", "empty").unwrap());
    for (text, words) in [
        ("", "step"),
        ("a,b\n1,2", "a, b"),
        ("step,a\n1", "line 2"),
        ("step,a\n1,x", "\"x\""),
    ] {
        let message = LossTable::parse(text).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}
