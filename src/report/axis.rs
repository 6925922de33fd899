//! Axes: from values to a range, and from a range to ticks and their labels.

/// How values map to length along an axis.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Scale {
    /// In proportion.
    #[default]
    Linear,
    /// By logarithm; what is not positive is left out.
    Log,
    /// By sign(v) log(1 + |v| / `linear`): logarithmic on both sides of 0.
    SymLog {
        /// The size up to which it is nearly in proportion.
        linear: f64,
    },
}

/// The name, scale and range of an axis.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axis {
    /// The quantity with its unit, such as `Visible energy [MeV]`.
    pub label: String,
    /// How values map to length.
    pub scale: Scale,
    /// The range shown; chosen from the data where absent or unusable.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// A linear axis over the range of the data.
    pub fn linear(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }

    /// A logarithmic axis over the range of the data.
    pub fn log(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            scale: Scale::Log,
            range: None,
        }
    }

    /// The axis with a fixed range.
    pub fn with_range(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }
}

/// An axis with its range settled; `low` and `high` are transformed values.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    scale: Scale,
    pub low: f64,
    pub high: f64,
    /// Whether the range came from the data.
    pub auto: bool,
}

/// Positions along the axis, from 0 to 1.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    pub major: Vec<(f64, String)>,
    pub minor: Vec<f64>,
    /// The power of ten that the labels leave out, such as `×10³`.
    pub multiplier: Option<String>,
}

/// Beyond this a difference of two values overflows.
const HUGE: f64 = 1e300;

impl View {
    /// The range of `axis`, else that of `values` with `pad` of its length (below, above) added.
    pub fn fit(axis: &Axis, values: impl IntoIterator<Item = f64>, pad: (f64, f64)) -> Self {
        let scale = match axis.scale {
            Scale::SymLog { linear } if !(linear.is_finite() && linear > 0.0) => Scale::Linear,
            scale => scale,
        };
        let mut view = Self {
            scale,
            low: 0.0,
            high: 1.0,
            auto: false,
        };
        if let Some((a, b)) = axis.range
            && let (Some(a), Some(b)) = (view.transform(a), view.transform(b))
            && b - a > 1e-12 * a.abs().max(b.abs())
        {
            return Self {
                low: a,
                high: b,
                ..view
            };
        }
        view.auto = true;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for t in values.into_iter().filter_map(|v| view.transform(v)) {
            low = low.min(t);
            high = high.max(t);
        }
        if low > high {
            return view;
        }
        let length = high - low;
        if length <= 1e-12 * low.abs().max(high.abs()) {
            let half = if scale == Scale::Log {
                0.5
            } else {
                (0.1 * low.abs()).max(f64::MIN_POSITIVE)
            };
            let half = if low == 0.0 { 0.5 } else { half };
            return Self {
                low: low - half,
                high: high + half,
                ..view
            };
        }
        Self {
            low: low - pad.0 * length,
            high: high + pad.1 * length,
            ..view
        }
    }

    fn transform(&self, v: f64) -> Option<f64> {
        if !v.is_finite() {
            return None;
        }
        let v = v.clamp(-HUGE, HUGE);
        match self.scale {
            Scale::Linear => Some(v),
            Scale::Log => (v > 0.0).then(|| v.log10()),
            Scale::SymLog { linear } => Some(v.signum() * (1.0 + v.abs() / linear).log10()),
        }
    }

    /// Where `v` stands: 0 at the low end, 1 at the high end, beyond them outside.
    pub fn at(&self, v: f64) -> Option<f64> {
        self.transform(v)
            .map(|t| (t - self.low) / (self.high - self.low))
    }

    /// Like [`View::at`], with what a logarithmic axis cannot show at its low end.
    pub fn at_or_floor(&self, v: f64) -> Option<f64> {
        if self.scale == Scale::Log && v <= 0.0 {
            Some(0.0)
        } else {
            self.at(v)
        }
    }

    /// Where bars and fills stand: 0 on a linear axis that holds it, else the low end.
    pub fn floor(&self) -> f64 {
        if self.scale == Scale::Log {
            0.0
        } else {
            self.at(0.0).unwrap_or(0.0).clamp(0.0, 1.0)
        }
    }

    /// About `count` labelled ticks.
    pub fn ticks(&self, count: usize) -> Ticks {
        match self.scale {
            Scale::Linear => self.linear_ticks(self.low, self.high, count),
            Scale::Log => self.log_ticks(count),
            Scale::SymLog { linear } => self.symlog_ticks(linear, count),
        }
    }

    fn linear_ticks(&self, low: f64, high: f64, count: usize) -> Ticks {
        let raw = (high - low) / count.max(2) as f64;
        let mut power = raw.log10().floor();
        let mut mantissa = raw / 10f64.powf(power);
        mantissa = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .find(|m| *m >= mantissa * (1.0 - 1e-9))
            .unwrap_or(10.0);
        if mantissa == 10.0 {
            mantissa = 1.0;
            power += 1.0;
        }
        let step = mantissa * 10f64.powf(power);
        let largest = low.abs().max(high.abs());
        let exponent = if (1e-2..1e5).contains(&largest) {
            0.0
        } else {
            3.0 * (largest.log10() / 3.0).floor()
        };
        let decimals = (exponent - power).clamp(0.0, 15.0) as usize;
        let label = |v: f64| number(v / 10f64.powf(exponent), decimals);
        let divisions = if mantissa == 2.0 { 4.0 } else { 5.0 };
        let inside = |v: &f64| *v >= low - 1e-9 * (high - low) && *v <= high + 1e-9 * (high - low);
        let steps = |step: f64| {
            let first = (low / step - 1e-9).ceil();
            (0..200)
                .map(move |k| (first + k as f64) * step)
                .take_while(inside)
        };
        Ticks {
            major: steps(step)
                .filter_map(|v| Some((self.at(v)?.clamp(0.0, 1.0), label(v))))
                .collect(),
            minor: steps(step / divisions).filter_map(|v| self.at(v)).collect(),
            multiplier: (exponent != 0.0).then(|| format!("×10{}", superscript(exponent as i64))),
        }
    }

    fn log_ticks(&self, count: usize) -> Ticks {
        let decades = self.high - self.low;
        if decades < 0.7 {
            return self.linear_ticks(10f64.powf(self.low), 10f64.powf(self.high), count);
        }
        let stride = (decades / count.max(2) as f64).ceil().max(1.0) as i64;
        let (first, last) = (
            (self.low - 1e-9).ceil() as i64,
            (self.high + 1e-9).floor() as i64,
        );
        let at = |t: f64| (t - self.low) / (self.high - self.low);
        let mut ticks = Ticks::default();
        for k in first..=last {
            match k.rem_euclid(stride) {
                0 => ticks.major.push((at(k as f64), power_of_ten(k))),
                _ => ticks.minor.push(at(k as f64)),
            }
        }
        if stride == 1 {
            for (k, m) in (first - 1..=last).flat_map(|k| (2..10).map(move |m| (k, m))) {
                let position = at(k as f64 + f64::from(m).log10());
                if !(0.0..=1.0).contains(&position) {
                    continue;
                }
                ticks.minor.push(position);
                if decades < 1.6 && (m == 2 || m == 5) {
                    let label = match k {
                        0..=4 => number(f64::from(m) * 10f64.powi(k as i32), 0),
                        -3..0 => number(f64::from(m) * 10f64.powi(k as i32), -k as usize),
                        _ => format!("{m}×{}", power_of_ten(k)),
                    };
                    ticks.major.push((position, label));
                }
            }
        }
        ticks
    }

    fn symlog_ticks(&self, linear: f64, count: usize) -> Ticks {
        let first = linear.log10().round() as i64;
        let reach = self.low.abs().max(self.high.abs());
        let both = if self.low < 0.0 && self.high > 0.0 {
            2.0
        } else {
            1.0
        };
        let stride = (both * reach / count.max(2) as f64).ceil().max(1.0) as i64;
        let mut ticks = Ticks::default();
        let mut add = |v: f64, label: Option<String>| {
            if let Some(position) = self.at(v).filter(|p| (0.0..=1.0).contains(p)) {
                match label {
                    Some(label) => ticks.major.push((position, label)),
                    None => ticks.minor.push(position),
                }
            }
        };
        add(0.0, Some("0".into()));
        for k in (first..).take(reach.ceil().clamp(0.0, 400.0) as usize + 1) {
            let label = ((k - first) % stride == 0).then(|| power_of_ten(k));
            add(10f64.powi(k as i32), label.clone());
            add(-10f64.powi(k as i32), label.map(|l| format!("−{l}")));
        }
        ticks
    }
}

/// `v` with a true minus sign, and no sign on zero.
pub(super) fn number(v: f64, decimals: usize) -> String {
    let text = format!("{v:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

fn superscript(n: i64) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    n.to_string()
        .chars()
        .map(|c| c.to_digit(10).map_or('⁻', |d| DIGITS[d as usize]))
        .collect()
}

fn power_of_ten(k: i64) -> String {
    match k {
        0 => "1".into(),
        1 => "10".into(),
        _ => format!("10{}", superscript(k)),
    }
}
