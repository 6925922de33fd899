// reduce.wgsl — tree combination of one value per thread across a workgroup.
//
// All WG threads must call it, in uniform control flow; `join` is the caller's. The result is valid in every thread. The
// order depends on WG only, so the result is bit-reproducible from run to run on one device.

var<workgroup> lane: array<f32, WG>;

fn workgroup_join(tid: u32, v: f32) -> f32 {
    workgroupBarrier(); // a caller may still be reading lane[0] of its last result
    lane[tid] = v;
    workgroupBarrier();
    for (var s = WG / 2u; s > 0u; s = s >> 1u) {
        if tid < s { lane[tid] = join(lane[tid], lane[tid + s]); }
        workgroupBarrier();
    }
    return lane[0];
}
