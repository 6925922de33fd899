// expression.wgsl — the elementwise expression that a kernel evaluates.
//
// What stands behind the mark below is the identity. For a chain of elementwise ops the engine puts the chain's own text
// there (`Expression::text` in ops/map.rs): one `let` a step, with the functions of lib/functions.wgsl and the constants
// p.k<i>, p.l<i> of step i.

//@expression
fn evaluate(x0: f32, x1: f32, x2: f32, x3: f32, x4: f32, x5: f32) -> f32 {
    return x0;
}
