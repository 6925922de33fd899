// random.wgsl — random numbers that have an address: (seed, stream, event, element).
//
// y [E, N]. Element e of shower n belongs to event = first event + n (64 bits); it is made of word e % 4 of
//
//   philox(counter = (e / 4, stream, low word of event, high word), key = seed)
//
// source = (low word of seed, high word, low word of first event, high word). One lane makes four elements of one shower.
// `philox_rows` evaluates rows of explicit counters [COUNT, 4] and keys [COUNT, 2].

override WG: u32;

struct RandomParams { elements: u32, n: u32, stream: u32 }

@group(0) @binding(0) var<uniform> p: RandomParams;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> bits: array<u32>;
@group(0) @binding(4) var<storage, read> key: array<u32>;

fn words(block: u32, n: u32) -> vec4<u32> {
    let low = source[2] + n;
    let high = source[3] + select(0u, 1u, low < n);
    return philox(vec4(block, p.stream, low, high), vec2(source[0], source[1]));
}

fn store(block: u32, n: u32, v: vec4<f32>) {
    for (var k = 0u; k < 4u; k++) {
        let e = block * 4u + k;
        if e < p.elements { y[e * p.n + n] = v[k]; }
    }
}

@compute @workgroup_size(WG)
fn random_bits(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    let block = i / p.n;
    if block * 4u >= p.elements { return; }
    let v = words(block, i % p.n);
    for (var k = 0u; k < 4u; k++) {
        let e = block * 4u + k;
        if e < p.elements { bits[e * p.n + i % p.n] = v[k]; }
    }
}

@compute @workgroup_size(WG)
fn random_uniform(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    let block = i / p.n;
    if block * 4u >= p.elements { return; }
    let v = words(block, i % p.n);
    store(block, i % p.n, vec4(unit(v.x), unit(v.y), unit(v.z), unit(v.w)));
}

@compute @workgroup_size(WG)
fn random_normal(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    let block = i / p.n;
    if block * 4u >= p.elements { return; }
    let v = words(block, i % p.n);
    store(block, i % p.n, vec4(normal_pair(v.x, v.y), normal_pair(v.z, v.w)));
}

@compute @workgroup_size(WG)
fn philox_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.elements { return; }
    let counter = vec4(source[4u * i], source[4u * i + 1u], source[4u * i + 2u], source[4u * i + 3u]);
    let v = philox(counter, vec2(key[2u * i], key[2u * i + 1u]));
    for (var k = 0u; k < 4u; k++) { bits[4u * i + k] = v[k]; }
}
