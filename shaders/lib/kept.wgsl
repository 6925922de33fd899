// kept.wgsl — where an index over up to four axes puts each input of an expression.
//
// The index runs over extents p.a1, p.a2, p.a3 behind the slowest; input j lies at the sum of the coordinates times
// p.s<j>0..3. Other axes, such as those that are summed, are added to it.

struct Kept { o0: u32, o1: u32, o2: u32, o3: u32, o4: u32, o5: u32 }

// Where the kept axes put each input.
fn kept(o: u32) -> Kept {
    let c3 = o % p.a3;
    var rest = o / p.a3;
    let c2 = rest % p.a2; rest = rest / p.a2;
    let c1 = rest % p.a1;
    let c0 = rest / p.a1;
    return Kept(
        c0 * p.s00 + c1 * p.s01 + c2 * p.s02 + c3 * p.s03,
        c0 * p.s10 + c1 * p.s11 + c2 * p.s12 + c3 * p.s13,
        c0 * p.s20 + c1 * p.s21 + c2 * p.s22 + c3 * p.s23,
        c0 * p.s30 + c1 * p.s31 + c2 * p.s32 + c3 * p.s33,
        c0 * p.s40 + c1 * p.s41 + c2 * p.s42 + c3 * p.s43,
        c0 * p.s50 + c1 * p.s51 + c2 * p.s52 + c3 * p.s53,
    );
}
