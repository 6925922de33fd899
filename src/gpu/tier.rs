//! Tiers: in which arithmetic products are computed, how activations are kept, and what a device must have for each.

use std::fmt;
use std::str::FromStr;

use super::adapter::Capabilities;
use crate::{Error, Result};

/// How convolutions, dense layers and matrix products are computed. Within a tier a device gives the same bits whatever the
/// batch and the tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tier {
    /// f32 on any device: the definition of the others.
    #[default]
    Portable,
    /// Cooperative matrices: operands rounded to f16, sums in f32. Activations are kept as in [`Half`](Self::Half).
    Matrix,
    /// f32 arithmetic; in frozen programs activations are f16 in memory (see `tape/narrow.rs`), which halves most of the
    /// traffic and rounds each by 2^-11 of itself. One beyond 65504 becomes infinite, which generation reports as an error.
    Half,
}

impl Tier {
    /// Every tier, the definition first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Half, Self::Matrix];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Matrix => "matrix",
            Self::Half => "half",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tier {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|t| t.name() == name)
            .ok_or_else(|| {
                let names: Vec<&str> = Self::ALL.iter().map(|t| t.name()).collect();
                Error::Config(format!("tier '{name}' is none of {}", names.join(", ")))
            })
    }
}

/// The cooperative matrices that the matrix tier uses: square, f16 operands, f32 sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// Rows, columns and terms of a matrix: 8 or 16.
    pub size: u32,
    /// Lanes of a subgroup, which hold a matrix together, at most.
    pub subgroup: u32,
    /// A subgroup may have fewer lanes: a kernel cannot ask for a size.
    pub varies: bool,
    /// Matrices are loaded from arrays of vectors too (not on Metal).
    pub vectors: bool,
}

impl Matrix {
    /// The largest shape of the adapter that the kernels can use.
    pub(super) fn of(
        listed: &[wgpu::CooperativeMatrixProperties],
        features: wgpu::Features,
        info: &wgpu::AdapterInfo,
    ) -> Option<Self> {
        use wgpu::CooperativeScalarType::{F16, F32};
        let needed = wgpu::Features::SHADER_F16
            | wgpu::Features::SUBGROUP
            | wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        let metal = info.backend == wgpu::Backend::Metal;
        // wgpu states a range for all of Metal; Apple's subgroups are of 32 lanes.
        let (least, subgroup) = match metal {
            true => (32, 32),
            false => (info.subgroup_min_size, info.subgroup_max_size),
        };
        let size = (listed.iter())
            .filter(|c| c.ab_type == F16 && c.cr_type == F32)
            .filter(|c| c.m_size == c.n_size && c.n_size == c.k_size)
            .map(|c| c.m_size)
            .filter(|&size| size == 8 || size == 16)
            .max()?;
        let vectors = !metal;
        features.contains(needed).then_some(Self {
            size,
            subgroup,
            varies: least < subgroup,
            vectors,
        })
    }

    /// What a GPU offers whose subgroups are of 32 or 64 lanes, for tests: software Vulkan computes larger matrices than it
    /// lists.
    pub(super) fn as_on_a_gpu(self) -> Self {
        Self {
            size: 16,
            subgroup: 2 * self.subgroup,
            varies: true,
            ..self
        }
    }

    /// What stands behind the mark of `lib/matrix.wgsl`, for an operand and a result of the given elements.
    pub fn text(&self, given: Element, made: Element) -> String {
        let size = self.size;
        let (given, made) = (given.name(), made.name());
        let place = if self.vectors {
            "alias Piece = vec4<f16>;
const PIECE = 4u;
fn place(i: u32, v: vec4<f16>) { stage[i / 4u] = v; }"
        } else {
            "alias Piece = f16;
const PIECE = 1u;
fn place(i: u32, v: vec4<f16>) { for (var s = 0u; s < 4u; s++) { stage[i + s] = v[s]; } }"
        };
        format!(
            "alias Left = coop_mat{size}x{size}<f16, A>;
alias Right = coop_mat{size}x{size}<f16, B>;
alias Sum = coop_mat{size}x{size}<f32, C>;
const T = {size}u;
alias Given = {given};
alias Made = {made};
{place}
"
        )
    }
}

/// Elements of an activation in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// Four bytes.
    F32,
    /// Two bytes.
    F16,
}

impl Element {
    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

impl Capabilities {
    /// Whether the device can compute in `tier`.
    ///
    /// # Errors
    /// [`Error::Config`] that says what it lacks.
    pub fn check_tier(&self, tier: Tier) -> Result<()> {
        let lacks = match tier {
            Tier::Portable => return Ok(()),
            Tier::Half if self.f16 => return Ok(()),
            Tier::Matrix if self.matrix.is_some() => return Ok(()),
            Tier::Half => "f16 in shaders and storage buffers",
            Tier::Matrix => "cooperative matrices of 8x8x8 or 16x16x16 F16->F32, f16 and subgroups",
        };
        let listed = match self.cooperative.is_empty() {
            true => "none".into(),
            false => self.cooperative.join(", "),
        };
        let subgroups = match self.subgroup {
            Some((min, max)) => format!("{min} to {max}"),
            None => "none".into(),
        };
        Err(Error::Config(format!(
            "tier {tier} needs {lacks}; {} ({}) has matrices: {listed}, f16: {}, subgroups: {subgroups}",
            self.name,
            self.driver,
            if self.f16 { "yes" } else { "no" },
        )))
    }
}
