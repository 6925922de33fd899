//! The kernels without a device: each is valid WGSL for any adapter, binds what its Rust declaration says, stays within the
//! limits that WebGPU grants everywhere, and translates to the languages of the other backends.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use calogen::gpu::{Access, Binding, Element, Kernel, Matrix, Scalar, Tier, read};
use calogen::ops::kernels;
use naga::back::{PipelineConstants, hlsl, msl, spv};
use naga::valid::{Capabilities, GlobalUse, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Expression, Module, ScalarKind, ShaderStage, StorageAccess, TypeInner};

/// What a tier's kernels may use.
fn capabilities(tier: Tier) -> Capabilities {
    match tier {
        Tier::Portable => Capabilities::empty(),
        Tier::Half => Capabilities::SHADER_FLOAT16,
        Tier::Matrix => {
            Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP | Capabilities::COOPERATIVE_MATRIX
        }
    }
}

/// Bytes of workgroup memory, storage bindings and lanes of a workgroup that every WebGPU device has.
const WORKGROUP_BYTES: u32 = 16 * 1024;
const STORAGE_BINDINGS: usize = 8;
const LANES: u32 = 256;

/// A value of each override for the translations: any that the kernels are made for, in two variants.
fn sample(name: &str, variant: usize) -> f64 {
    let values = match name {
        "WG" => [64.0, 32.0],
        "INPUTS" => [6.0, 1.0],
        "FLAT" => [5.0, 1.0],
        "UNROLL" => [4.0, 3.0],
        "RANK" => [3.0, 1.0],
        "DIVIDE" => [1.0, 2.0],
        "SPLAT" => [2.0, 1.0],
        "STILL" => [4.0, 1.0],
        "BINS" => [8.0, 1.0],
        "JOIN" | "BACK" | "SHARED" | "INVERSE" => [1.0, 0.0],
        "ROWS" => [2.0, 1.0],
        "COLUMNS" | "LAST" => [4.0, 1.0],
        "QUADS" => [2.0, 1.0],
        "TILE" | "SPLIT" => [8.0, 1.0],
        "CHANNELS" => [5.0, 16.0],
        "OUTPUTS" => [7.0, 1.0],
        "DIMS" => [16.0, 3.0],
        "STORED" | "WEIGHTED" => [1.0, 0.0],
        "SPAN" => [4.0, 4.0],
        "GROUPS" => [3.0, 1.0],
        "TAPS" => [3.0, 1.0],
        "DEEP" => [2.0, 4.0],
        "APART" => [2.0, 1.0],
        "BY_CELL" | "VECTOR" | "SPARE" | "SHARE" | "BY_ROW" | "VARIANCE" | "EXACT" | "ONE_TAP"
        | "HALF" | "FOUR" => [1.0, 0.0],
        "SUBGROUP" => [32.0, 8.0],
        "COLS" | "DEPTH" => [2.0, 2.0],
        "ACROSS" => [2.0, 4.0],
        "BY" => [8.0, 1.0],
        _ => panic!("{name}: name values of this override in tests/shaders.rs"),
    };
    values[variant]
}

/// An expression of the kind that the compiler writes, with every function of lib/functions.wgsl and lib/math.wgsl that
/// expressions use.
const EXPRESSION: &str = "
fn evaluate(x0: f32, x1: f32, x2: f32, x3: f32, x4: f32, x5: f32) -> f32 {
    let r0 = sigmoid(x0) + tanh_(x1) * softplus(x2);
    let r1 = power(abs(r0), p.k1) + sign_(x3) * truth(x4 > p.l2) + cut_below(x2, x5);
    let r2 = exp_(r1) + ln(x5) - ln_1p(r0) / exp_m1(r1);
    let r11 = select(r2 * p.k11 + p.l11, clamp_(r2, p.k0, p.l0), x0 != 0.0);
    return max(r11, 1.0 / sqrt(x1));
}
";

type Checked = Result<(), String>;

fn parse(k: &Kernel, source: &str) -> Result<Module, String> {
    naga::front::wgsl::parse_str(source)
        .map_err(|e| format!("{}: {}", k.file, e.emit_to_string_with_path(source, k.file)))
}

fn validate(k: &Kernel, module: &Module, source: &str) -> Result<ModuleInfo, String> {
    Validator::new(ValidationFlags::all(), capabilities(k.tier))
        .validate(module)
        .map_err(|e| format!("{}: {}", k.file, e.emit_to_string_with_path(source, k.file)))
}

/// Cooperative matrices of a device.
fn matrix(size: u32, vectors: bool) -> Matrix {
    Matrix {
        size,
        subgroup: 32,
        varies: false,
        vectors,
    }
}

/// Everything that is said of one kernel.
fn check(k: &Kernel) -> Checked {
    let has_expression = k.source.contains("//@expression");
    let module = parse(k, k.source)?;
    let info = validate(k, &module, k.source)?;
    check_interface(k, &module, &info)?;
    translate(k, &module, &info, &variant(&module, 0))?;
    translate(k, &module, &info, &variant(&module, 1))?;
    if has_expression {
        let text = k.text(Some(EXPRESSION), false, 0);
        let module = parse(k, &text)?;
        let info = validate(k, &module, &text)?;
        translate(k, &module, &info, &variant(&module, 0))?;
    }
    if k.source.contains("//@matrix") {
        for (size, given, made) in [
            (8, Element::F32, Element::F16),
            (16, Element::F16, Element::F32),
        ] {
            let text = k.text(Some(&matrix(size, true).text(given, made)), false, 0);
            let module = parse(k, &text)?;
            let info = validate(k, &module, &text)?;
            check_interface(k, &module, &info)?;
            spirv(k, &module, &info, &variant(&module, 0))?;
        }
    }
    Ok(())
}

fn check_interface(k: &Kernel, module: &Module, info: &ModuleInfo) -> Checked {
    let index = module.entry_points.iter().position(|e| e.name == k.entry);
    let index = index.ok_or_else(|| format!("{}: no entry point {}", k.file, k.entry))?;
    if module.entry_points[index].stage != ShaderStage::Compute {
        return Err(format!("{}::{} is no compute shader", k.file, k.entry));
    }
    for (_, o) in module.overrides.iter() {
        // One may follow from others.
        let init = o.init.map(|e| &module.global_expressions[e]);
        if matches!(init, Some(Expression::Literal(_) | Expression::Constant(_))) {
            return Err(format!("{}: override {:?} has a default", k.file, o.name));
        }
    }
    let used = info.get_entry_point(index);
    let mut found = Vec::new();
    let (mut params, mut writes) = (false, false);
    for (handle, var) in module.global_variables.iter() {
        let Some(bind) = var.binding.filter(|_| !used[handle].is_empty()) else {
            continue;
        };
        let name = var.name.clone().unwrap_or_default();
        if bind.group != 0 {
            return Err(format!("{}: {name} is not in bind group 0", k.file));
        }
        match var.space {
            AddressSpace::Uniform => {
                if bind.binding != 0 {
                    return Err(format!("{}: the parameter block is binding 0", k.file));
                }
                check_params(k, module, var.ty)?;
                params = true;
            }
            AddressSpace::Storage { access } => {
                let store = access.contains(StorageAccess::STORE);
                writes |= used[handle].contains(GlobalUse::WRITE);
                found.push((bind.binding, name, store));
            }
            _ => return Err(format!("{}: {name} is neither uniform nor storage", k.file)),
        }
    }
    found.sort();
    let declared: Vec<_> = (k.bindings.iter())
        .map(|b| (b.number, b.name.to_owned(), b.access == Access::Write))
        .collect();
    if found != declared {
        return Err(format!(
            "{}::{} binds (number, name, written) {found:?}, Rust declares {declared:?}",
            k.file, k.entry
        ));
    }
    if !params || !writes {
        return Err(format!(
            "{}::{} reads no p or writes nothing",
            k.file, k.entry
        ));
    }
    if found.len() > STORAGE_BINDINGS {
        return Err(format!(
            "{}::{}: {} storage bindings",
            k.file,
            k.entry,
            found.len()
        ));
    }
    Ok(())
}

/// The parameter block as (offset, name, scalar), in WGSL and in Rust.
fn check_params(k: &Kernel, module: &Module, ty: naga::Handle<naga::Type>) -> Checked {
    let ty = &module.types[ty];
    let TypeInner::Struct { members, .. } = &ty.inner else {
        return Err(format!("{}: p is no struct", k.file));
    };
    let scalar = |ty| match module.types[ty].inner {
        TypeInner::Scalar(naga::Scalar { kind, width: 4 }) => match kind {
            ScalarKind::Uint => Some(Scalar::U32),
            ScalarKind::Float => Some(Scalar::F32),
            _ => None,
        },
        _ => None,
    };
    let found: Vec<_> = (members.iter())
        .map(|m| (m.offset, m.name.clone().unwrap_or_default(), scalar(m.ty)))
        .collect();
    let declared: Vec<_> = (k.fields.iter().enumerate())
        .map(|(i, f)| (i as u32 * 4, f.name.to_owned(), Some(f.scalar)))
        .collect();
    if ty.name.as_deref() != Some(k.params) || found != declared {
        return Err(format!(
            "{}: {:?} holds {found:?}, Rust declares {} with {declared:?}",
            k.file, ty.name, k.params
        ));
    }
    Ok(())
}

/// The overrides of a variant.
fn variant(module: &Module, variant: usize) -> PipelineConstants {
    (module.overrides.iter())
        .filter(|(_, o)| o.init.is_none())
        .map(|(_, o)| o.name.clone().unwrap_or_default())
        .map(|name| (name.clone(), sample(&name, variant)))
        .collect()
}

/// The module with these overrides filled in.
fn filled<'a>(
    k: &Kernel,
    module: &'a Module,
    info: &'a ModuleInfo,
    constants: &PipelineConstants,
) -> Result<(Cow<'a, Module>, Cow<'a, ModuleInfo>), String> {
    let entry = (ShaderStage::Compute, k.entry);
    naga::back::pipeline_constants::process_overrides(module, info, Some(entry), constants)
        .map_err(|e| format!("{}::{}: {e}", k.file, k.entry))
}

/// Writes SPIR-V of the version that has what the kernel's tier needs.
fn spirv(
    k: &Kernel,
    module: &Module,
    info: &ModuleInfo,
    constants: &PipelineConstants,
) -> Result<Vec<u32>, String> {
    let (module, info) = filled(k, module, info, constants)?;
    let options = spv::Options {
        lang_version: match k.tier {
            Tier::Portable | Tier::Half => (1, 0),
            Tier::Matrix => (1, 3),
        },
        // As the engine asks wgpu for them.
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        ..Default::default()
    };
    spv::write_vec(&module, &info, &options, None)
        .map_err(|e| format!("{}::{} to SPIR-V: {e}", k.file, k.entry))
}

/// Fills in the overrides, checks what is fixed by them, and writes SPIR-V, MSL and HLSL.
fn translate(
    k: &Kernel,
    module: &Module,
    info: &ModuleInfo,
    constants: &PipelineConstants,
) -> Checked {
    spirv(k, module, info, constants)?;
    let (module, info) = filled(k, module, info, constants)?;
    let failed = |what: &str, e: &dyn std::fmt::Display| {
        Err(format!("{}::{} to {what}: {e}", k.file, k.entry))
    };
    let point = module.entry_points.iter().position(|e| e.name == k.entry);
    let point = point.ok_or_else(|| format!("{}: {} is gone", k.file, k.entry))?;
    let lanes: u32 = module.entry_points[point].workgroup_size.iter().product();
    let used = info.get_entry_point(point);
    let bytes: u32 = (module.global_variables.iter())
        .filter(|(h, v)| v.space == AddressSpace::WorkGroup && !used[*h].is_empty())
        .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
        .sum();
    let most = match k.tier {
        Tier::Portable | Tier::Half => WORKGROUP_BYTES,
        Tier::Matrix => 2 * WORKGROUP_BYTES, // what every device with cooperative matrices has
    };
    if bytes > most || lanes > LANES {
        return failed("a workgroup", &format!("{bytes} bytes, {lanes} lanes"));
    }
    let options = msl::Options {
        lang_version: (2, 4),
        ..Default::default()
    };
    if let Err(e) = msl::write_string(&module, &info, &options, &Default::default()) {
        return failed("MSL", &e);
    }
    if k.tier == Tier::Matrix {
        return Ok(()); // HLSL has no cooperative matrices
    }
    let options = hlsl::Options {
        shader_model: match k.tier {
            Tier::Half => hlsl::ShaderModel::V6_2, // the first with f16
            _ => hlsl::ShaderModel::V6_0,
        },
        ..Default::default()
    };
    let mut text = String::new();
    let pipeline = Default::default();
    if let Err(e) = hlsl::Writer::new(&mut text, &options, &pipeline).write(&module, &info, None) {
        return failed("HLSL", &e);
    }
    Ok(())
}

#[test]
fn every_kernel_keeps_its_contract() {
    let errors: Vec<String> = kernels()
        .into_iter()
        .filter_map(|k| check(k).err())
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    println!("{} kernels", kernels().len());
}

/// Every kernel that may hold f16 in some bindings, with f16 in all of them, in those it reads, in those it writes, and in
/// every second one; with and without pairs.
#[test]
fn halves_are_valid_too() {
    let (mut found, mut errors) = (0, Vec::new());
    for k in kernels() {
        let bit = |(i, b): (usize, &Binding)| if b.half { 1u32 << i } else { 0 };
        let some = |access| {
            let of = k.bindings.iter().enumerate();
            of.filter(|(_, b)| b.access == access).map(bit).sum::<u32>()
        };
        let (read, written) = (some(Access::Read), some(Access::Write));
        let mut variants = vec![read, written, read | written, (read | written) & 0x55555555];
        variants.retain(|&v| v != 0);
        variants.dedup();
        let half = Kernel {
            tier: match k.tier {
                Tier::Portable => Tier::Half,
                tier => tier,
            },
            ..*k
        };
        for halves in variants {
            found += 1;
            errors.extend(check_halves(&half, halves).err());
        }
    }
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(found > 0, "no kernel holds f16");
    println!("{found} variants");
}

fn check_halves(k: &Kernel, halves: u32) -> Checked {
    let has_expression = k.source.contains("//@expression");
    let text = match k.tier {
        Tier::Matrix => {
            let fill = matrix(8, false).text(Element::F16, Element::F16);
            k.text(Some(&fill), false, halves)
        }
        _ => k.text(has_expression.then_some(EXPRESSION), false, halves),
    };
    let module = parse(k, &text)?;
    let info = validate(k, &module, &text)?;
    check_interface(k, &module, &info)?;
    check_elements(k, &module, halves)?;
    translate(k, &module, &info, &variant(&module, 0))?;
    translate(k, &module, &info, &variant(&module, 1))?;
    let pairs = k.text(None, true, halves);
    let module = parse(k, &pairs)?;
    let capable =
        capabilities(k.tier) | Capabilities::SHADER_INT64 | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    match Validator::new(ValidationFlags::all(), capable).validate(&module) {
        Ok(_) => Ok(()),
        Err(e) => Err(format!("{} in pairs: {e:?}", k.entry)),
    }
}

/// That bindings of `halves` are of f16, and no other.
fn check_elements(k: &Kernel, module: &Module, halves: u32) -> Checked {
    for (i, b) in k.bindings.iter().enumerate() {
        let named = |v: &naga::GlobalVariable| v.name.as_deref() == Some(b.name);
        let var = module.global_variables.iter().find(|(_, v)| named(v));
        let Some((_, var)) = var else {
            return Err(format!("{}: no {}", k.entry, b.name));
        };
        let TypeInner::Array { base, .. } = module.types[var.ty].inner else {
            return Err(format!("{}: {} is no array", k.entry, b.name));
        };
        let width = module.types[base].inner.scalar().map(|s| s.width);
        let half = halves & (1 << i) != 0;
        if k.tier != Tier::Matrix && (width == Some(2)) != half {
            return Err(format!(
                "{}: {} has elements of {width:?} bytes, f16: {half}",
                k.entry, b.name
            ));
        }
    }
    Ok(())
}

/// Software Vulkan loads four numbers as two of 64 bits.
#[test]
fn pairs_are_valid_too() {
    let mut found = 0;
    for k in kernels() {
        let text = k.text(None, true, 0);
        if text == k.source {
            continue;
        }
        found += 1;
        let module = parse(k, &text).unwrap();
        let capable = Capabilities::SHADER_INT64;
        let checked = Validator::new(ValidationFlags::all(), capable).validate(&module);
        assert!(checked.is_ok(), "{}: {checked:?}", k.entry);
    }
    assert!(found > 0, "no kernel uses lib/four.wgsl");
}

/// The kernels of cooperative matrices at their largest tile, for the compiler of a GPU that is not there: software Vulkan's
/// matrices are smaller.
#[test]
#[ignore = "writes SPIR-V into $CALOGEN_SPIRV, for tools/check_registers.sh"]
fn matrix_kernels_for_check_registers() {
    let to = PathBuf::from(std::env::var_os("CALOGEN_SPIRV").expect("CALOGEN_SPIRV"));
    let fill = matrix(16, true).text(Element::F16, Element::F16);
    for (entry, vector) in [("conv_matrix", 1.0), ("conv_matrix_any", 0.0)] {
        let all = kernels();
        let k = all.iter().find(|k| k.entry == entry).unwrap();
        let text = k.text(Some(&fill), false, 0);
        let module = parse(k, &text).unwrap();
        let info = validate(k, &module, &text).unwrap();
        for (rows, cols, across, down) in [
            (4, 4, 2, 2),
            (2, 4, 2, 2),
            (2, 4, 4, 1),
            (1, 4, 4, 1),
            (1, 2, 4, 1),
        ] {
            let wg = f64::from(32 * across * down);
            let tile = [
                ("WG", wg),
                ("SUBGROUP", 32.0),
                ("SPARE", 0.0),
                ("ROWS", f64::from(rows)),
                ("COLS", f64::from(cols)),
                ("ACROSS", f64::from(across)),
                ("DEPTH", 2.0),
                ("VECTOR", vector),
            ];
            let constants = tile.map(|(name, value)| (name.to_owned(), value)).into();
            let words = spirv(k, &module, &info, &constants).unwrap();
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            let name = format!("{entry}-{rows}-{cols}-{across}-{down}.spv");
            std::fs::write(to.join(name), bytes).unwrap();
        }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(name: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(name)).unwrap();
    let paths = entries.map(|e| e.unwrap().path());
    let mut found: Vec<_> = paths
        .filter(|p| p.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    found
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

#[test]
fn every_shader_is_used() {
    let kernels = kernels();
    for path in files("shaders", "wgsl") {
        let file = path.file_name().unwrap().to_str().unwrap();
        let of_file: Vec<_> = kernels.iter().filter(|k| k.file == file).collect();
        let first = of_file
            .first()
            .unwrap_or_else(|| panic!("shaders/{file} has no kernel"));
        let text = std::fs::read_to_string(&path).unwrap();
        for k in &of_file {
            assert!(
                k.source.starts_with(&text),
                "{}: does not begin with its file",
                k.entry
            );
        }
        let module = parse(first, first.source).unwrap();
        let points: BTreeSet<_> = module
            .entry_points
            .iter()
            .map(|e| e.name.as_str())
            .collect();
        let declared: BTreeSet<_> = of_file.iter().map(|k| k.entry).collect();
        assert_eq!(points, declared, "{file}: entry points and kernels");
    }
    for path in files("shaders/lib", "wgsl") {
        let text = std::fs::read_to_string(&path).unwrap();
        let used = kernels.iter().any(|k| k.source.contains(&text));
        assert!(used, "{}: no kernel uses it", path.display());
    }
}

#[test]
fn entry_points_have_names_of_their_own() {
    let mut seen = BTreeSet::new();
    for k in kernels() {
        assert!(seen.insert(k.entry), "two kernels are called {}", k.entry);
        let file = folder("shaders").join(k.file);
        assert!(file.is_file(), "{}: no such file", file.display());
    }
}

#[test]
fn every_op_has_tests() {
    let main = std::fs::read_to_string(folder("tests/ops/main.rs")).unwrap();
    let folders = std::fs::read_dir(folder("src/ops")).unwrap();
    let folders = folders.map(|e| e.unwrap().path()).filter(|p| p.is_dir());
    let mut sources = files("src/ops", "rs");
    for inner in folders {
        sources.extend(files(inner.to_str().unwrap(), "rs"));
    }
    for path in sources {
        // An op in the `mod.rs` of a folder has the folder's name.
        let name = match stem(&path) {
            "mod" => stem(path.parent().unwrap()),
            name => name,
        };
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.contains("impl Op for") && !text.contains("impl Update for") {
            continue;
        }
        let tests = folder("tests/ops").join(format!("{name}.rs"));
        assert!(
            tests.is_file(),
            "{} has no tests/ops/{name}.rs",
            path.display()
        );
    }
    for path in files("tests/ops", "rs") {
        let name = stem(&path);
        let listed = main.lines().any(|l| l == format!("mod {name};"));
        assert!(
            listed || name == "main",
            "tests/ops/main.rs lacks mod {name};"
        );
    }
}

/// The kernel of `entry` with its text or bindings changed.
fn mutated(entry: &str, from: &str, to: &str, bindings: Option<&'static [Binding]>) -> Kernel {
    let k = kernels().into_iter().find(|k| k.entry == entry).unwrap();
    assert!(k.source.contains(from), "{entry}: no {from}");
    Kernel {
        file: k.file,
        source: Box::leak(k.source.replacen(from, to, 1).into_boxed_str()),
        entry: k.entry,
        params: k.params,
        fields: k.fields,
        bindings: bindings.unwrap_or(k.bindings),
        tier: k.tier,
    }
}

/// The checks above must be able to fail: each mutation is caught, with a message that contains `expected`.
#[test]
fn mutations_are_caught() {
    let caught = |entry, from, to, bindings, expected: &str| {
        let error = check(&mutated(entry, from, to, bindings)).expect_err(expected);
        assert!(error.contains(expected), "wanted '{expected}' in: {error}");
    };
    check(&mutated("pack", "rows", "rows", None)).unwrap();
    let swapped = "tile: u32, count: u32, rows: u32";
    let fields = "count: u32, tile: u32, rows: u32";
    caught("pack", fields, swapped, None, "Rust declares PackParams");
    caught(
        "map",
        "l11: f32,",
        "l11: u32,",
        None,
        "Rust declares MapParams",
    );
    const READ_ONLY: &[Binding] = &[read(1, "src"), read(2, "dst")];
    caught(
        "pack",
        "rows",
        "rows",
        Some(READ_ONLY),
        "Rust declares [(1, \"src\", false), (2, \"dst\", false)]",
    );
    const RENAMED: &[Binding] = &[read(1, "a"), calogen::gpu::write(2, "dst")];
    caught("pack", "rows", "rows", Some(RENAMED), "\"src\"");
    caught(
        "pack",
        "@binding(1)",
        "@binding(3)",
        None,
        "[(2, \"dst\", true), (3, \"src\", false)]",
    );
    caught(
        "pack",
        "@group(0) @binding(1)",
        "@group(1) @binding(1)",
        None,
        "bind group 0",
    );
    caught(
        "transpose",
        "array<f32, 272>",
        "array<f32, 4097>",
        None,
        "16388 bytes",
    );
    caught(
        "transpose",
        "@workgroup_size(128)",
        "@workgroup_size(512)",
        None,
        "512 lanes",
    );
    caught(
        "move_window",
        "override WG: u32;",
        "override WG: u32 = 64;",
        None,
        "default",
    );
    caught(
        "move_window",
        "fn move_window",
        "fn other",
        None,
        "no entry point move_window",
    );
    // Unused: the layout would bind what the kernel does not read.
    caught("store", "q[i] = g[i]", "q[i] = 0.0", None, "Rust declares");
    // Needs an optional feature.
    caught(
        "store",
        "q[i] = g[i]",
        "q[i] = subgroupAdd(g[i])",
        None,
        "update.wgsl",
    );
    // Not WGSL.
    caught("store", "q[i] = g[i]", "q[i] = g(i)", None, "update.wgsl");
}
