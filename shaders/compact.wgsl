// compact.wgsl — showers as lists of their hits.
//
//   x [M, N]   cell m of shower n
//   y          offsets [N + 1] of hits, then the hits of shower 0, of shower 1, ..., by ascending cell
//
// A hit (lib/hit.wgsl) is two words, cell and energy; with HALF one: the cell in the low 16 bits, the energy as a float16
// above them, rounded before it is compared.
//
// The cells of a shower are divided into runs. `compact_count` counts the hits of each, one lane a run of one shower;
// `compact_scan`, one workgroup, makes of the counts where each run's hits begin; `compact_write` puts them there. y has room
// for all cells.

override WG: u32;
override HALF: u32;

struct CompactParams { cells: u32, n: u32, run: u32, runs: u32 }

@group(0) @binding(0) var<uniform> p: CompactParams;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> threshold: array<u32>;
@group(0) @binding(3) var<storage, read_write> starts: array<u32>; // [N, runs]
@group(0) @binding(4) var<storage, read_write> y: array<u32>;

// The energy as it is compared, float32 bits; 0 for a cell that is no hit.
fn energy(bits: u32, least: u32) -> u32 {
    var e = bits;
    if HALF == 1u { e = widened(half(bits)); }
    return select(0u, e, is_hit(e, least));
}

// A run: its shower, its cells from first to before end, and its place in starts.
struct Run { n: u32, first: u32, end: u32, at: u32 }

fn run_of(i: u32) -> Run {
    let n = i % p.n;
    let run = i / p.n;
    return Run(n, run * p.run, min((run + 1u) * p.run, p.cells), n * p.runs + run);
}

@compute @workgroup_size(WG)
fn compact_count(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.runs * p.n { return; }
    let r = run_of(i);
    let t = least_hit(threshold[0]);
    var count = 0u;
    for (var m = r.first; m < r.end; m++) {
        count += select(0u, 1u, energy(x[m * p.n + r.n], t) != 0u);
    }
    starts[r.at] = count;
}

var<workgroup> sums: array<u32, WG>;

@compute @workgroup_size(WG)
fn compact_scan(@builtin(local_invocation_index) tid: u32) {
    let total = p.n * p.runs;
    let each = (total + WG - 1u) / WG;
    let first = min(tid * each, total);
    let end = min(first + each, total);
    var sum = 0u;
    for (var j = first; j < end; j++) { sum += starts[j]; }
    sums[tid] = sum;
    workgroupBarrier();
    for (var step = 1u; step < WG; step = step << 1u) {
        var before = 0u;
        if tid >= step { before = sums[tid - step]; }
        workgroupBarrier();
        sums[tid] += before;
        workgroupBarrier();
    }
    var at = sums[tid] - sum;
    for (var j = first; j < end; j++) {
        let count = starts[j];
        if j % p.runs == 0u { y[j / p.runs] = at; }
        starts[j] = at;
        at += count;
    }
    if tid == WG - 1u { y[p.n] = at; }
}

@compute @workgroup_size(WG)
fn compact_write(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.runs * p.n { return; }
    let r = run_of(i);
    let t = least_hit(threshold[0]);
    var at = starts[r.at];
    for (var m = r.first; m < r.end; m++) {
        let bits = x[m * p.n + r.n];
        let e = energy(bits, t);
        if e == 0u { continue; }
        if HALF == 1u {
            y[p.n + 1u + at] = m | (half(bits) << 16u);
        } else {
            y[p.n + 1u + 2u * at] = m;
            y[p.n + 2u + 2u * at] = e;
        }
        at++;
    }
}
