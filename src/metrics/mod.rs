//! What compares two samples of showers, and the report of it.
//!
//! [`evaluate`] reads two [`Sample`](crate::observables::Sample)s and gives an [`Evaluation`], which serialises to
//! `report.json` and carries what plots need. The distances stand on their own, over plain slices. A figure that is
//! not defined (of an empty sample, of a constant column) is `None` and null in the report, never NaN.

mod channels;
mod correlation;
mod evaluate;
mod frechet;
mod histogram;
mod jsd;
mod ks;
mod linearity;
mod moments;
mod profiles;
mod regression;
mod report;
mod summary;
mod view;
mod wasserstein;

pub use channels::{ChannelSums, channel_sums};
pub use correlation::{Correlation, correlation, pearson};
pub use evaluate::{Options, agree, evaluate, evaluate_all};
pub use frechet::frechet_distance;
pub use histogram::{Binning, Histogram};
pub use jsd::jensen_shannon;
pub use ks::kolmogorov_smirnov;
pub use linearity::{Groups, Linearity, LinearitySide, MIN_SHOWERS, linearity, mu_sigma_90};
pub use moments::Moments;
pub use profiles::{Profile, Profiles, profiles, radial};
pub use regression::{Regression, RegressorSample, Resolution, regression};
pub use report::{Classifier, Comparison, Evaluation, SampleSummary};
pub use wasserstein::wasserstein1;
