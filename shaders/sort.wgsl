// sort.wgsl — the order of the elements along an axis, largest first: a bitonic network in global memory.
//
//   index[o,q,i] = which element of x[o,:,i] stands at place q; equal elements keep their order
//
// x [OUTER, EXTENT, INNER]. Each element becomes a key that compares as an integer (NaN above infinity, -0 equal to 0);
// key and place lie in scratch of extent PADDED, a power of two of at least 8, filled up with keys below every number.
// One lane sorts eight elements in registers. sort_start makes sorted runs of eight neighbours. sort_merge carries up to
// three levels of the merge into runs of `run`: the compared distances are 4 step, 2 step and step, of which the last
// `levels` are done. Neighbouring lanes are neighbours along INNER.

override WG: u32;

struct SortParams { count: u32, extent: u32, padded: u32, inner: u32, run: u32, step: u32, levels: u32 }

@group(0) @binding(0) var<uniform> p: SortParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> key: array<u32>;
@group(0) @binding(3) var<storage, read_write> place: array<u32>;
@group(0) @binding(4) var<storage, read> sorted: array<u32>;
@group(0) @binding(5) var<storage, read_write> index: array<u32>;

struct Eight { key: array<u32, 8>, place: array<u32, 8> }

// Larger for larger numbers; 0 belongs to none.
fn order(v: f32) -> u32 {
    let bits = bitcast<u32>(v);
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0x7f800000u { return 0xffffffffu; } // NaN
    if magnitude == 0u { return 0x80000000u; }
    return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}

// Puts elements `distance` apart in order: largest first, or last where a bit of `rising` is set.
fn compare(e: ptr<function, Eight>, distance: u32, rising: u32) {
    for (var a = 0u; a < 8u; a++) {
        if (a & distance) == 0u {
            let b = a | distance;
            let first = (*e).key[a] > (*e).key[b] || ((*e).key[a] == (*e).key[b] && (*e).place[a] < (*e).place[b]);
            if first == (((rising >> a) & 1u) == 1u) {
                let k = (*e).key[a]; (*e).key[a] = (*e).key[b]; (*e).key[b] = k;
                let q = (*e).place[a]; (*e).place[a] = (*e).place[b]; (*e).place[b] = q;
            }
        }
    }
}

@compute @workgroup_size(WG)
fn sort_start(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) tid: u32) {
    let lane = group_index(wid, groups) * WG + tid;
    if lane >= p.count { return; }
    let i = lane % p.inner;
    let block = lane / p.inner % (p.padded / 8u);
    let o = lane / p.inner / (p.padded / 8u);
    var e: Eight;
    for (var r = 0u; r < 8u; r++) {
        let q = block * 8u + r;
        e.place[r] = q;
        e.key[r] = 0u;
        if q < p.extent { e.key[r] = order(x[(o * p.extent + q) * p.inner + i]); }
    }
    for (var run = 2u; run <= 8u; run = run * 2u) {
        var rising = 0u;
        for (var r = 0u; r < 8u; r++) { rising |= select(0u, 1u << r, ((block * 8u + r) & run) != 0u); }
        for (var d = run / 2u; d > 0u; d = d / 2u) { compare(&e, d, rising); }
    }
    for (var r = 0u; r < 8u; r++) {
        let at = (o * p.padded + block * 8u + r) * p.inner + i;
        key[at] = e.key[r];
        place[at] = e.place[r];
    }
}

@compute @workgroup_size(WG)
fn sort_merge(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) tid: u32) {
    let lane = group_index(wid, groups) * WG + tid;
    if lane >= p.count { return; }
    let i = lane % p.inner;
    let block = lane / p.inner % (p.padded / 8u);
    let o = lane / p.inner / (p.padded / 8u);
    let q = block / p.step * p.step * 8u + block % p.step;
    let base = (o * p.padded + q) * p.inner + i;
    // All eight belong to one run.
    let rising = select(0u, 0xffu, (q & p.run) != 0u);
    var e: Eight;
    for (var r = 0u; r < 8u; r++) {
        e.key[r] = key[base + r * p.step * p.inner];
        e.place[r] = place[base + r * p.step * p.inner];
    }
    if p.levels > 2u { compare(&e, 4u, rising); }
    if p.levels > 1u { compare(&e, 2u, rising); }
    compare(&e, 1u, rising);
    for (var r = 0u; r < 8u; r++) {
        key[base + r * p.step * p.inner] = e.key[r];
        place[base + r * p.step * p.inner] = e.place[r];
    }
}

// The places without those of the filling, which stand last.
@compute @workgroup_size(WG)
fn sort_finish(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let lane = group_index(wid, groups) * WG + tid;
    if lane >= p.count { return; }
    let row = p.extent * p.inner;
    index[lane] = sorted[lane / row * p.padded * p.inner + lane % row];
}
