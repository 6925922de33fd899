//! What compares two samples of showers, and the report of it.
//!
//! [`evaluate`] reads two [`Sample`](crate::observables::Sample)s and gives an [`Evaluation`], which serialises to
//! `report.json` and carries what plots need. The distances stand on their own, over plain slices. A figure that is
//! not defined (of an empty sample, of a constant column) is `None` and null in the report, never NaN.

mod amplification;
mod calochallenge;
mod channels;
mod classifier;
mod correlation;
mod distances;
mod drawn;
mod evaluate;
mod evaluation;
mod fidelity;
mod figure;
mod figures;
mod frechet;
mod histogram;
mod inception;
mod jsd;
mod ks;
mod layers;
mod leaves;
mod linearity;
mod matrix;
mod moments;
mod overlap;
mod profiles;
mod regression;
mod relevance;
mod scan;
mod summary;
pub(crate) mod text;
mod view;
mod wasserstein;

pub use amplification::{Amplification, AmplificationOptions, Worth, amplification};
pub use calochallenge::{
    Counts, FeatureMoments, HighLevel, HighLevelFigures, HighLevelReference, SeparationPowers,
};
pub use channels::ChannelSums;
pub use classifier::{Classifier, Isotonic, Separation, auc, auc_error};
pub use correlation::{Correlation, pearson};
pub use distances::{
    DISTANCE_PARTS, DistanceFigures, Distances, Estimate, FpdOptions, Kernel, KernelOptions,
    Neighbours, Pair, distance_figures, distances, fpd, intercept, kernel_distances,
    median_distance, mmd, neighbours,
};
pub use evaluate::{Options, agree, compare_all, evaluate, evaluate_all};
pub use evaluation::{Evaluation, SampleSummary};
pub use fidelity::{FidelityTerm, fidelity_by_epoch};
pub use figure::Figure;
pub use figures::{Comparison, Figures, Half, Halves};
pub use frechet::frechet_distance;
pub use histogram::{Binning, Histogram};
pub use inception::{FrechetPair, InceptionDistance};
pub use jsd::jensen_shannon;
pub use ks::{kolmogorov_smirnov, ks_p_value};
pub use layers::{Depth, LayerCorrelation};
pub use linearity::{Groups, Linearity, LinearitySide, MIN_SHOWERS, mu_sigma_90};
pub use moments::Moments;
pub use overlap::{area_difference, separation_power};
pub use profiles::{Profile, Profiles};
pub(crate) use regression::{ByLabel, DEVIATION, ENERGY};
pub use regression::{
    Deviation, PositionDeviation, Regression, RegressorSample, Resolution, Spread, regression,
};
pub use relevance::{RelevanceMap, RelevanceMaps};
pub use scan::{Best, Epoch, Scan, TERM, scan_figures, spearman};
pub use wasserstein::wasserstein1;
