// conv_plain.wgsl — the three convolutions in their plainest form: the definition, and the oracle at sizes where loops on
// the host are too slow.
//
//   conv_small_plain   small[s,o,n] = bias[s] + sum_{l,k} w[s,l,k] large[l, o stride + k - pad, n]
//   conv_large_plain   large[l,i,n] = bias[l] + sum_{s,k} w[s,l,k] small[s, (i + pad - k) / stride, n]   where stride divides
//   conv_weight_plain  w[s,l,k] = sum_{o,n} small[s,o,n] large[l, o stride + k - pad, n]
//
// The sides are large [L,D,H,W,N] and small [S,OD,OH,OW,N], w is [S,L,kd,kh,kw]; the result is always binding `y`. An
// ordinary convolution makes the small side, a transposed one the large; each is linear in both operands, and each is a
// derivative of the others. One lane makes one element.

override WG: u32;

struct ConvPlainParams {
    s: u32, l: u32, n: u32,
    d: u32, h: u32, w: u32, od: u32, oh: u32, ow: u32,
    kd: u32, kh: u32, kw: u32, sd: u32, sh: u32, sw: u32, pd: u32, ph: u32, pw: u32,
    bias: u32, slope: f32,
}

@group(0) @binding(0) var<uniform> p: ConvPlainParams;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn activation(v: f32) -> f32 {
    return select(p.slope * v, v, v > 0.0);
}

// a = large, b = w, c = bias
@compute @workgroup_size(WG)
fn conv_small_plain(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.s * p.od * p.oh * p.ow * p.n { return; }
    let n = i % p.n;
    let ow = i / p.n % p.ow;
    let oh = i / (p.n * p.ow) % p.oh;
    let od = i / (p.n * p.ow * p.oh) % p.od;
    let s = i / (p.n * p.ow * p.oh * p.od);
    var sum = 0.0;
    for (var l = 0u; l < p.l; l++) {
        for (var kd = 0u; kd < p.kd; kd++) {
            let d = od * p.sd + kd - p.pd; // wraps below 0: one compare tests both ends
            for (var kh = 0u; kh < p.kh; kh++) {
                let h = oh * p.sh + kh - p.ph;
                for (var kw = 0u; kw < p.kw; kw++) {
                    let w = ow * p.sw + kw - p.pw;
                    if d < p.d && h < p.h && w < p.w {
                        sum += a[(((l * p.d + d) * p.h + h) * p.w + w) * p.n + n]
                            * b[(((s * p.l + l) * p.kd + kd) * p.kh + kh) * p.kw + kw];
                    }
                }
            }
        }
    }
    if p.bias != 0u { sum += c[s]; }
    y[i] = activation(sum);
}

// a = small, b = w, c = bias
@compute @workgroup_size(WG)
fn conv_large_plain(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.l * p.d * p.h * p.w * p.n { return; }
    let n = i % p.n;
    let w = i / p.n % p.w;
    let h = i / (p.n * p.w) % p.h;
    let d = i / (p.n * p.w * p.h) % p.d;
    let l = i / (p.n * p.w * p.h * p.d);
    var sum = 0.0;
    for (var s = 0u; s < p.s; s++) {
        for (var kd = 0u; kd < p.kd; kd++) {
            let td = d + p.pd - kd;
            for (var kh = 0u; kh < p.kh; kh++) {
                let th = h + p.ph - kh;
                for (var kw = 0u; kw < p.kw; kw++) {
                    let tw = w + p.pw - kw;
                    // Wrapped differences are no multiple within range either way.
                    let inside = td % p.sd == 0u && th % p.sh == 0u && tw % p.sw == 0u
                        && td / p.sd < p.od && th / p.sh < p.oh && tw / p.sw < p.ow;
                    if inside {
                        sum += a[(((s * p.od + td / p.sd) * p.oh + th / p.sh) * p.ow + tw / p.sw) * p.n + n]
                            * b[(((s * p.l + l) * p.kd + kd) * p.kh + kh) * p.kw + kw];
                    }
                }
            }
        }
    }
    if p.bias != 0u { sum += c[l]; }
    y[i] = activation(sum);
}

// a = large, b = small; c is not read
@compute @workgroup_size(WG)
fn conv_weight_plain(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.s * p.l * p.kd * p.kh * p.kw { return; }
    let kw = i % p.kw;
    let kh = i / p.kw % p.kh;
    let kd = i / (p.kw * p.kh) % p.kd;
    let l = i / (p.kw * p.kh * p.kd) % p.l;
    let s = i / (p.kw * p.kh * p.kd * p.l);
    var sum = 0.0;
    for (var od = 0u; od < p.od; od++) {
        let d = od * p.sd + kd - p.pd;
        for (var oh = 0u; oh < p.oh; oh++) {
            let h = oh * p.sh + kh - p.ph;
            for (var ow = 0u; ow < p.ow; ow++) {
                let w = ow * p.sw + kw - p.pw;
                if d >= p.d || h >= p.h || w >= p.w { continue; }
                let large = (((l * p.d + d) * p.h + h) * p.w + w) * p.n;
                let small = (((s * p.od + od) * p.oh + oh) * p.ow + ow) * p.n;
                var row = 0.0;
                for (var n = 0u; n < p.n; n++) { row += a[large + n] * b[small + n]; }
                sum += row;
            }
        }
    }
    y[i] = sum;
}
