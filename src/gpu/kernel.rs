//! Kernels as data: a WGSL file, an entry point, a parameter block and named bindings.
//!
//! The Rust declaration owns the binding layout; `tests/shaders.rs` compares it with what the WGSL really uses.

use super::tier::Tier;

/// The type of a parameter: four-byte scalars only, so that no alignment rule can bite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A 32-bit unsigned integer.
    U32,
    /// A 32-bit float.
    F32,
}

/// One field of a parameter block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, equal in Rust and in WGSL.
    pub name: &'static str,
    /// Its type.
    pub scalar: Scalar,
}

/// A parameter block: the uniform at binding 0 of every kernel. Declared by the `params!` macro.
pub trait Params: bytemuck::Pod {
    /// The name of the struct, equal in Rust and in WGSL.
    const NAME: &'static str;
    /// The fields in order.
    const FIELDS: &'static [Field];
}

/// Declares a parameter block: a `#[repr(C)]` struct of `u32` and `f32` fields that WGSL declares alike.
macro_rules! params {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $scalar:ident),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        #[allow(missing_docs, clippy::missing_docs_in_private_items)]
        pub struct $name { $(pub $field: $scalar),* }
        impl $crate::gpu::Params for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [$crate::gpu::Field] =
                &[$($crate::gpu::Field { name: stringify!($field), scalar: params!(@scalar $scalar) }),*];
        }
    };
    (@scalar u32) => { $crate::gpu::Scalar::U32 };
    (@scalar f32) => { $crate::gpu::Scalar::F32 };
}
pub(crate) use params;

/// The text of a kernel file with the library files that it uses appended. WGSL allows use before declaration, so
/// diagnostics keep the file's own line numbers.
macro_rules! wgsl {
    ($($file:literal),+ $(,)?) => {
        concat!($(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $file)), "\n"),+)
    };
}
pub(crate) use wgsl;

/// How a kernel uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    Write,
}

/// One storage binding of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The number after `@binding`.
    pub number: u32,
    /// The variable's name in WGSL.
    pub name: &'static str,
    /// Whether the kernel writes to it.
    pub access: Access,
    /// Its numbers may be f16 in memory.
    pub half: bool,
}

impl Binding {
    /// The same binding, whose numbers may be f16 in memory: the text loads them as `f32(NAME[..])` or `four(NAME[..])` and
    /// stores them as `NAME[..] = f32(..)` or `NAME[..] = of_four(..)`.
    pub const fn or_half(self) -> Self {
        Self { half: true, ..self }
    }
}

/// A binding that is only read.
pub const fn read(number: u32, name: &'static str) -> Binding {
    Binding {
        number,
        name,
        access: Access::Read,
        half: false,
    }
}

/// A binding that is written, and perhaps read.
pub const fn write(number: u32, name: &'static str) -> Binding {
    Binding {
        number,
        name,
        access: Access::Write,
        half: false,
    }
}

/// What stands behind the mark of `lib/four.wgsl` on software Vulkan with 64-bit integers.
const FOUR_AS_PAIRS: &str = "
alias Four = vec2<u64>;

fn four(v: Four) -> vec4<f32> {
    let high = v >> vec2(32u);
    return vec4(bitcast<f32>(u32(v.x)), bitcast<f32>(u32(high.x)), bitcast<f32>(u32(v.y)), bitcast<f32>(u32(high.y)));
}

fn of_four(v: vec4<f32>) -> Four {
    let bits = bitcast<vec4<u32>>(v);
    return vec2(u64(bits.x) | (u64(bits.y) << 32u), u64(bits.z) | (u64(bits.w) << 32u));
}
";

/// What follows it where bindings hold f16: four of these are one integer where they are loaded, and two where they are stored,
/// as old Mesa keeps a loop that packs them into one and with it the sums in memory.
const FOUR_HALVES: &str = "
fn four_halves(v: u64) -> vec4<f32> {
    return vec4(unpack2x16float(u32(v)), unpack2x16float(u32(v >> 32u)));
}

fn of_four_halves(v: vec4<f32>) -> vec2<u32> {
    return vec2(pack2x16float(v.xy), pack2x16float(v.zw));
}
";

/// A compute kernel: one entry point of one file.
#[derive(Debug)]
pub struct Kernel {
    /// The file under `shaders/`.
    pub file: &'static str,
    /// Its text with the library appended, from `wgsl!`.
    pub source: &'static str,
    /// The entry point.
    pub entry: &'static str,
    /// Name of the parameter block.
    pub params: &'static str,
    /// Fields of the parameter block.
    pub fields: &'static [Field],
    /// Storage bindings in order of their numbers.
    pub bindings: &'static [Binding],
    /// What the device must offer.
    pub tier: Tier,
}

impl Kernel {
    /// A kernel with parameter block `P`. It asks for no optional feature: it runs everywhere.
    pub const fn new<P: Params>(
        file: &'static str,
        source: &'static str,
        entry: &'static str,
        bindings: &'static [Binding],
    ) -> Self {
        Self {
            file,
            source,
            entry,
            params: P::NAME,
            fields: P::FIELDS,
            bindings,
            tier: Tier::Portable,
        }
    }

    /// The same kernel for devices that offer `tier`.
    pub const fn of_tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }

    /// The WGSL with `inserted` in the place of what stands behind the mark of `lib/expression.wgsl` or
    /// `lib/matrix.wgsl`, and with `pairs` four numbers loaded as two of 64 bits where `lib/four.wgsl` is used. What is
    /// replaced reaches to `//@end`, or else to the end: then the file with the mark is the last of a kernel's. Bindings of
    /// `halves` (bit i: the i-th of [`bindings`](Self::bindings)) hold f16, which the text converts where it loads and stores.
    pub fn text(&self, inserted: Option<&str>, pairs: bool, halves: u32) -> String {
        let replaced = |source: &str, mark: &str, text: &str| {
            let (before, rest) = source.split_once(mark)?;
            let after = rest.split_once("//@end\n").map_or("", |(_, after)| after);
            Some(format!("{before}{text}{after}"))
        };
        let mut source = self.source.to_owned();
        if let Some(inserted) = inserted {
            let mut marks = ["//@expression\n", "//@matrix\n"].into_iter();
            let text = marks.find_map(|mark| replaced(&source, mark, inserted));
            source = text.unwrap_or_else(|| panic!("{}: no mark for a text", self.entry));
        }
        if pairs {
            let halves = if halves == 0 { "" } else { FOUR_HALVES };
            if let Some(text) = replaced(&source, "//@four\n", &format!("{FOUR_AS_PAIRS}{halves}"))
            {
                source = text;
            }
        }
        if halves == 0 {
            return source;
        }
        for (i, binding) in self.bindings.iter().enumerate() {
            if halves & (1 << i) != 0 {
                source = with_half(&source, binding, pairs);
            }
        }
        match source.contains("enable f16;") {
            true => source,
            // On the first line, so that diagnostics keep the file's line numbers.
            false => format!("enable f16; {source}"),
        }
    }
}

/// The text with a binding of f16. What it misses is a type error, which `tests/shaders.rs` would find.
fn with_half(source: &str, binding: &Binding, pairs: bool) -> String {
    let name = binding.name;
    let (array, load, store) = match pairs {
        true if binding.access == Access::Write => ("vec2<u32>", "four_halves", "of_four_halves"),
        true => ("u64", "four_halves", "of_four_halves"),
        false => ("vec4<f16>", "vec4<f32>", "vec4<f16>"),
    };
    let source = source
        .replace(
            &format!(" {name}: array<f32>"),
            &format!(" {name}: array<f16>"),
        )
        .replace(
            &format!(" {name}: array<Four>"),
            &format!(" {name}: array<{array}>"),
        )
        .replace(&format!("four({name}["), &format!("{load}({name}["));
    if binding.access == Access::Read {
        return source;
    }
    let stored = format!(" {name}[");
    let mut text = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        match line.contains(&stored) {
            true => text.push_str(
                &line
                    .replace("] = f32(", "] = f16(")
                    .replace("] = of_four(", &format!("] = {store}(")),
            ),
            false => text.push_str(line),
        }
    }
    text
}

/// Folds a one-dimensional number of workgroups into the grid: no dimension may exceed 65535.
///
/// The kernel recovers the index as `wid.x + wid.y * num_workgroups.x` (`group_index` in `lib/index.wgsl`) and guards it.
pub fn fold(groups: u64) -> [u32; 3] {
    const MAX: u64 = 65535;
    if groups <= MAX {
        return [groups.max(1) as u32, 1, 1];
    }
    let rows = groups.div_ceil(MAX);
    [groups.div_ceil(rows) as u32, rows as u32, 1]
}
