//! Three-dimensional convolutions as configurations of several systems list them.

use serde::{Deserialize, Serialize};

use crate::nn::{Net, Norm};
use crate::ops::ConvSpec;
use crate::tape::Var;

/// A convolution without bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Output channels.
    pub channels: usize,
    /// Kernel along each axis.
    pub kernel: [usize; 3],
    /// Stride along each axis.
    pub stride: [usize; 3],
    /// Zero padding along each axis.
    pub padding: [usize; 3],
    /// Makes it a transposed one, with as many voxels added after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transposed: Option<[usize; 3]>,
    /// Norm behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm: Option<Norm>,
}

impl Conv {
    /// Its result for `[C,D,H,W,N]`, normalised if it has a norm: tensors `<name>.weight` and `<name>_norm.*`.
    #[track_caller]
    pub fn apply<'t>(&self, net: &Net<'t>, name: &str, x: Var<'t>) -> Var<'t> {
        let spec = ConvSpec {
            stride: self.stride,
            padding: self.padding,
        };
        let y = match self.transposed {
            Some(more) => {
                let how = (&spec, more);
                net.conv_transpose3d(name, x, self.channels, self.kernel, how, false)
            }
            None => net.conv3d(name, x, self.channels, self.kernel, &spec, false),
        };
        match self.norm {
            Some(norm) => net.norm(&format!("{name}_norm"), y, norm),
            None => y,
        }
    }
}

/// `[Z,X,Y,N]` as `[1,Z,X,Y,N]`.
pub fn volume(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    x.reshape(&[&[1], &shape[..]].concat())
}

/// With a norm over voxels.
pub fn conv(channels: usize, kernel: [usize; 3], stride: [usize; 3], padding: [usize; 3]) -> Conv {
    Conv {
        channels,
        kernel,
        stride,
        padding,
        transposed: None,
        norm: Some(Norm::Voxel),
    }
}

/// The same along all axes.
pub fn cubic(channels: usize, kernel: usize, stride: usize, padding: usize) -> Conv {
    conv(channels, [kernel; 3], [stride; 3], [padding; 3])
}

/// The same transposed, with `more` voxels added after the last of each axis.
pub fn up(channels: usize, kernel: usize, stride: usize, padding: usize, more: usize) -> Conv {
    transposed(cubic(channels, kernel, stride, padding), more)
}

/// `conv` transposed, with `more` voxels added after the last of each axis.
pub fn transposed(conv: Conv, more: usize) -> Conv {
    Conv {
        transposed: Some([more; 3]),
        ..conv
    }
}

/// `conv` without its norm.
pub fn bare(conv: Conv) -> Conv {
    Conv { norm: None, ..conv }
}
