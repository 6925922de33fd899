//! Inception v3 (C. Szegedy et al., arXiv:1512.00567) up to its pooled features, with torchvision's names.
//!
//! A batch norm behind a convolution is part of its weights: see [`super::fold`].

use crate::nn::{Net, Window};
use crate::tape::Var;

/// Which of the two networks in use the weights belong to: they differ in three pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// torchvision's: average pools count the padding.
    Torchvision,
    /// pytorch-fid's, converted from TensorFlow: average pools do not count the padding, and the last pool of all is one of
    /// largest values.
    PytorchFid,
}

impl Variant {
    /// The name in weights files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torchvision => "torchvision",
            Self::PytorchFid => "pytorch-fid",
        }
    }
}

/// A network of which every layer has the `divide`-th part of the channels; 1 is the whole one.
pub(super) struct Layers<'t> {
    pub net: Net<'t>,
    pub variant: Variant,
    pub divide: usize,
}

/// A pool in front of a block's last branch.
#[derive(Clone, Copy, PartialEq)]
enum Pool {
    Average,
    Max,
}

/// Kernel and padding.
type Kernel = ([usize; 2], [usize; 2]);
const ONE: Kernel = ([1, 1], [0, 0]);
const THREE: Kernel = ([3, 3], [1, 1]);
const FIVE: Kernel = ([5, 5], [2, 2]);
const ROW3: Kernel = ([1, 3], [0, 1]);
const COLUMN3: Kernel = ([3, 1], [1, 0]);
const ROW7: Kernel = ([1, 7], [0, 3]);
const COLUMN7: Kernel = ([7, 1], [3, 0]);
/// Stride of convolutions that halve the image, and of those that do not.
const HALF: usize = 2;
const SAME: usize = 1;

impl<'t> Layers<'t> {
    /// The pooled features `[2048,N]` of images `[3,H,W,N]` in -1 to 1, of at least 75 pixels.
    pub fn features(&self, x: Var<'t>) -> Var<'t> {
        let bare = |kernel: [usize; 2]| (kernel, [0, 0]);
        let x = self.conv("Conv2d_1a_3x3", x, 32, bare([3, 3]), HALF);
        let x = self.conv("Conv2d_2a_3x3", x, 32, bare([3, 3]), SAME);
        let x = self.conv("Conv2d_2b_3x3", x, 64, THREE, SAME);
        let x = x.max_pool2d([3, 3], [2, 2], [0, 0]);
        let x = self.conv("Conv2d_3b_1x1", x, 80, ONE, SAME);
        let x = self.conv("Conv2d_4a_3x3", x, 192, bare([3, 3]), SAME);
        let mut x = x.max_pool2d([3, 3], [2, 2], [0, 0]);
        for (name, pooled) in [("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)] {
            x = self.mixed_5(name, x, pooled);
        }
        x = self.mixed_6a("Mixed_6a", x);
        for (name, inner) in [
            ("Mixed_6b", 128),
            ("Mixed_6c", 160),
            ("Mixed_6d", 160),
            ("Mixed_6e", 192),
        ] {
            x = self.mixed_6(name, x, inner);
        }
        x = self.mixed_7a("Mixed_7a", x);
        x = self.mixed_7("Mixed_7b", x, Pool::Average);
        let last = match self.variant {
            Variant::Torchvision => Pool::Average,
            Variant::PytorchFid => Pool::Max,
        };
        self.mixed_7("Mixed_7c", x, last).mean(&[1, 2])
    }

    fn conv(
        &self,
        name: &str,
        x: Var<'t>,
        channels: usize,
        (kernel, padding): Kernel,
        stride: usize,
    ) -> Var<'t> {
        let window = Window {
            kernel,
            stride: [stride; 2],
            padding,
        };
        self.net
            .conv2d(name, x, channels / self.divide, window, true)
            .relu()
    }

    /// Convolutions of a block one after the other: (name, channels, kernel).
    fn chain(&self, block: &str, x: Var<'t>, layers: &[(&str, usize, Kernel)]) -> Var<'t> {
        layers.iter().fold(x, |x, (name, channels, kernel)| {
            self.conv(&format!("{block}.{name}"), x, *channels, *kernel, SAME)
        })
    }

    fn pool(&self, x: Var<'t>, pool: Pool) -> Var<'t> {
        match pool {
            Pool::Average => {
                x.avg_pool2d([3, 3], [1, 1], [1, 1], self.variant == Variant::Torchvision)
            }
            Pool::Max => x.max_pool2d([3, 3], [1, 1], [1, 1]),
        }
    }

    fn mixed_5(&self, block: &str, x: Var<'t>, pooled: usize) -> Var<'t> {
        let pool = self.pool(x, Pool::Average);
        let parts = [
            self.chain(block, x, &[("branch1x1", 64, ONE)]),
            self.chain(
                block,
                x,
                &[("branch5x5_1", 48, ONE), ("branch5x5_2", 64, FIVE)],
            ),
            self.chain(
                block,
                x,
                &[
                    ("branch3x3dbl_1", 64, ONE),
                    ("branch3x3dbl_2", 96, THREE),
                    ("branch3x3dbl_3", 96, THREE),
                ],
            ),
            self.chain(block, pool, &[("branch_pool", pooled, ONE)]),
        ];
        Var::concat(&parts, 0)
    }

    /// A convolution that halves the image.
    fn half(&self, block: &str, name: &str, x: Var<'t>, channels: usize) -> Var<'t> {
        let name = format!("{block}.{name}");
        self.conv(&name, x, channels, ([3, 3], [0, 0]), HALF)
    }

    /// Halves the image.
    fn mixed_6a(&self, block: &str, x: Var<'t>) -> Var<'t> {
        let twice = self.chain(
            block,
            x,
            &[("branch3x3dbl_1", 64, ONE), ("branch3x3dbl_2", 96, THREE)],
        );
        let parts = [
            self.half(block, "branch3x3", x, 384),
            self.half(block, "branch3x3dbl_3", twice, 96),
            x.max_pool2d([3, 3], [2, 2], [0, 0]),
        ];
        Var::concat(&parts, 0)
    }

    fn mixed_6(&self, block: &str, x: Var<'t>, inner: usize) -> Var<'t> {
        let pool = self.pool(x, Pool::Average);
        let parts = [
            self.chain(block, x, &[("branch1x1", 192, ONE)]),
            self.chain(
                block,
                x,
                &[
                    ("branch7x7_1", inner, ONE),
                    ("branch7x7_2", inner, ROW7),
                    ("branch7x7_3", 192, COLUMN7),
                ],
            ),
            self.chain(
                block,
                x,
                &[
                    ("branch7x7dbl_1", inner, ONE),
                    ("branch7x7dbl_2", inner, COLUMN7),
                    ("branch7x7dbl_3", inner, ROW7),
                    ("branch7x7dbl_4", inner, COLUMN7),
                    ("branch7x7dbl_5", 192, ROW7),
                ],
            ),
            self.chain(block, pool, &[("branch_pool", 192, ONE)]),
        ];
        Var::concat(&parts, 0)
    }

    /// Halves the image.
    fn mixed_7a(&self, block: &str, x: Var<'t>) -> Var<'t> {
        let once = self.chain(block, x, &[("branch3x3_1", 192, ONE)]);
        let seven = self.chain(
            block,
            x,
            &[
                ("branch7x7x3_1", 192, ONE),
                ("branch7x7x3_2", 192, ROW7),
                ("branch7x7x3_3", 192, COLUMN7),
            ],
        );
        let parts = [
            self.half(block, "branch3x3_2", once, 320),
            self.half(block, "branch7x7x3_4", seven, 192),
            x.max_pool2d([3, 3], [2, 2], [0, 0]),
        ];
        Var::concat(&parts, 0)
    }

    fn mixed_7(&self, block: &str, x: Var<'t>, pool: Pool) -> Var<'t> {
        let pooled = self.pool(x, pool);
        let once = self.chain(block, x, &[("branch3x3_1", 384, ONE)]);
        let twice = self.chain(
            block,
            x,
            &[("branch3x3dbl_1", 448, ONE), ("branch3x3dbl_2", 384, THREE)],
        );
        let parts = [
            self.chain(block, x, &[("branch1x1", 320, ONE)]),
            self.chain(block, once, &[("branch3x3_2a", 384, ROW3)]),
            self.chain(block, once, &[("branch3x3_2b", 384, COLUMN3)]),
            self.chain(block, twice, &[("branch3x3dbl_3a", 384, ROW3)]),
            self.chain(block, twice, &[("branch3x3dbl_3b", 384, COLUMN3)]),
            self.chain(block, pooled, &[("branch_pool", 192, ONE)]),
        ];
        Var::concat(&parts, 0)
    }
}
