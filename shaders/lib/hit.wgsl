// hit.wgsl — which cells are hits: those above 0 and not below the threshold. What is no finite number counts as one, so
// that whoever reads it sees it.
//
// Compared are bits, which order positive floats, so that no device takes a subnormal for 0 or a NaN for a number.

const INFINITE = 0x7f800000u;

// The bits of the threshold; a negative one or NaN empties nothing.
fn least_hit(threshold: u32) -> u32 {
    return select(threshold, 0u, threshold > INFINITE);
}

fn is_hit(bits: u32, least: u32) -> bool {
    return (bits & INFINITE) == INFINITE || (bits != 0u && bits < INFINITE && bits >= least);
}
