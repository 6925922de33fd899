// reduce.wgsl — sum, maximum or minimum of an elementwise expression over some axes.
//
//   y[h, o] = scale * join over r in part h of f(x0[..], .., x5[..])
//
// The output index o runs over the kept axes (extents a1..a3 behind the slowest), r over the reduced ones (b1..b3); input j
// lies at the sum of kept coordinates times s<j>0..3 and reduced ones times s<j>4..7. A long reduction is cut into `parts`
// pieces of `chunk` terms; a second call joins them. `reduce_lane`: one lane an output, neighbours next to each other in
// memory; `reduce_lane_four`: four neighbours along the last kept axis, where all strides but those of 1 and 0 along it are
// multiples of four (bit j of SPLAT: 0); a workgroup of `reduce_rows` makes a whole such row, where terms lie being the same for
// all its lanes. `reduce_group`: one workgroup an output, for few outputs or a reduced last axis. Within a piece a lane adds up to
// 16 terms, then adds that to its total, so that the error grows with the square root of the length only.

override WG: u32;
override INPUTS: u32;
override RANK: u32; // reduced axes
override JOIN: u32; // 0 sum, 1 maximum, 2 minimum
override BY: u32;   // lanes of an output in reduce_group and reduce_group_four, a power of two

var<workgroup> lanes: array<f32, WG>;

// Infinity, from bits made at run time: the language has no literal for it.
fn infinity() -> f32 {
    return bitcast<f32>((p.terms & 0u) | 0x7f800000u);
}

fn join(a: f32, b: f32) -> f32 {
    switch JOIN {
        case 0u: { return a + b; }
        case 1u: { return larger(a, b); }
        default: { return smaller(a, b); }
    }
}

fn start() -> f32 {
    switch JOIN {
        case 0u: { return 0.0; }
        case 1u: { return -infinity(); }
        default: { return infinity(); }
    }
}

fn join_four(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return vec4(join(a.x, b.x), join(a.y, b.y), join(a.z, b.z), join(a.w, b.w));
}

// Terms r, r + step, .. below end.
fn walk(k: Kept, first: u32, end: u32, step: u32) -> f32 {
    var total = start();
    var r = first;
    while r < end {
        var part = start();
        for (var i = 0u; i < 16u && r < end; i++) {
            part = join(part, term(k, r));
            r += step;
        }
        total = join(total, part);
    }
    return total;
}

@compute @workgroup_size(WG)
fn reduce_lane(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.outputs * p.parts { return; }
    let h = i / p.outputs;
    let k = kept(i % p.outputs);
    y[i] = f32(p.scale * walk(k, h * p.chunk, min(p.terms, (h + 1u) * p.chunk), 1u));
}

@compute @workgroup_size(WG)
fn reduce_lane_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                    @builtin(local_invocation_index) tid: u32) {
    let i = 4u * (group_index(wid, groups) * WG + tid);
    if i >= p.outputs * p.parts { return; }
    let h = i / p.outputs;
    let k = kept(i % p.outputs);
    let end = min(p.terms, (h + 1u) * p.chunk);
    // As `walk`.
    var total = vec4(start());
    var r = h * p.chunk;
    while r < end {
        var part = vec4(start());
        for (var n = 0u; n < 16u && r < end; n++) {
            part = join_four(part, four_terms(k, r));
            r++;
        }
        total = join_four(total, part);
    }
    y4[i / 4u] = of_four(p.scale * total);
}

@compute @workgroup_size(WG)
fn reduce_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let g = group_index(wid, groups);
    let rows = p.outputs / p.a3;
    if g >= rows * p.parts { return; }
    let h = g / rows;
    let k = kept(g % rows * p.a3);
    let end = min(p.terms, (h + 1u) * p.chunk);
    for (var q = tid; q < p.a3 / 4u; q += WG) {
        // As `walk`.
        var total = vec4(start());
        var r = h * p.chunk;
        while r < end {
            var part = vec4(start());
            for (var n = 0u; n < 16u && r < end; n++) {
                part = join_four(part, terms_of_row(k, r, q));
                r++;
            }
            total = join_four(total, part);
        }
        y4[g * (p.a3 / 4u) + q] = of_four(p.scale * total);
    }
}

// The numbers of the BY lanes of output i joined, in an order that depends on BY alone, and written. All lanes of a workgroup
// must call it.
fn finish(i: u32, tid: u32, v: f32) {
    if BY > 1u { lanes[tid] = v; }
    for (var s = BY / 2u; s > 0u; s /= 2u) {
        workgroupBarrier();
        if tid % BY < s { lanes[tid] = join(lanes[tid], lanes[tid + s]); }
    }
    if tid % BY == 0u && i < p.outputs * p.parts {
        var joined = v;
        if BY > 1u { joined = lanes[tid]; }
        y[i] = f32(p.scale * joined);
    }
}

@compute @workgroup_size(WG)
fn reduce_group(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) tid: u32) {
    let i = (group_index(wid, groups) * WG + tid) / BY;
    var v = start();
    if i < p.outputs * p.parts {
        let h = i / p.outputs;
        v = walk(kept(i % p.outputs), h * p.chunk + tid % BY, min(p.terms, (h + 1u) * p.chunk), BY);
    }
    finish(i, tid, v);
}

// Terms and those of a part are multiples of four.
@compute @workgroup_size(WG)
fn reduce_group_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                     @builtin(local_invocation_index) tid: u32) {
    let i = (group_index(wid, groups) * WG + tid) / BY;
    var total = vec4(start());
    if i < p.outputs * p.parts {
        let h = i / p.outputs;
        let k = kept(i % p.outputs);
        let end = min(p.terms, (h + 1u) * p.chunk);
        // As `walk`.
        var r = h * p.chunk + 4u * (tid % BY);
        while r < end {
            var part = vec4(start());
            for (var n = 0u; n < 16u && r < end; n++) {
                part = join_four(part, four_terms(k, r));
                r += 4u * BY;
            }
            total = join_four(total, part);
        }
    }
    finish(i, tid, join(join(total.x, total.y), join(total.z, total.w)));
}
