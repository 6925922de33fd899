// operands.wgsl — six inputs of an expression, one by one and as fours of neighbours: the same buffers.

@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
@group(0) @binding(4) var<storage, read> x3: array<f32>;
@group(0) @binding(5) var<storage, read> x4: array<f32>;
@group(0) @binding(6) var<storage, read> x5: array<f32>;

@group(0) @binding(1) var<storage, read> q0: array<Four>;
@group(0) @binding(2) var<storage, read> q1: array<Four>;
@group(0) @binding(3) var<storage, read> q2: array<Four>;
@group(0) @binding(4) var<storage, read> q3: array<Four>;
@group(0) @binding(5) var<storage, read> q4: array<Four>;
@group(0) @binding(6) var<storage, read> q5: array<Four>;
