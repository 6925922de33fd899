// index.wgsl — where a workgroup stands in a folded grid.
//
// Grids of more than 65535 workgroups are folded into rows (`fold` in gpu/kernel.rs); the last row may be too long, so
// the caller guards the index against its count.

fn group_index(wid: vec3<u32>, groups: vec3<u32>) -> u32 {
    return wid.x + wid.y * groups.x;
}
