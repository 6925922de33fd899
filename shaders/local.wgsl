// local.wgsl — a locally connected layer: a convolution whose weights differ from place to place.
//
//   y[o,h,w,n] = sum over c,a,b of W[h,w,o,(c kh + a) kw + b] x[c, h sh + a, w sw + b, n]
//
// local_product makes y from x and (with BACK = 1) the gradient of x from that of y. Both are, at every place P, a product
// of small matrices over taps t = a kw + b, between rows r (o, or c) and terms j (c, or o):
//
//   y[r,P,n] = sum over t and j of m[(Q t) j,r] x[j,P + t,n]
//
// The weights come packed: m[((Q taps + t) terms + j) rows4 + r/4] is a vec4 of four rows, Q the place on the (oh, ow) grid.
// Taps without a place are skipped, for all showers of a workgroup alike. A lane makes 4 ROWS rows of COLUMNS showers, WG
// apart; weights are read uniformly.
//
// local_weight makes the gradient of the weights, at each place Q:
//
//   y[Q,o,(c kh + a) kw + b] = sum over n of m[Q,n,o] x[h sh + a, w sw + b, n, c]
//
// with dy as vec4 of four o in m[(Q N + n) rows4 + o/4] and x transposed, channels last. A lane makes 4 ROWS outputs o of
// COLUMNS terms q = t C + c, WG apart.

override WG: u32;
override ROWS: u32; // at most 4
override COLUMNS: u32; // at most 4: showers, or terms, of a lane
override BACK: u32;

struct LocalParams {
    n: u32, rows: u32, terms: u32, rows4: u32,
    ih: u32, iw: u32, oh: u32, ow: u32,
    kh: u32, kw: u32, sh: u32, sw: u32,
}

@group(0) @binding(0) var<uniform> p: LocalParams;
@group(0) @binding(1) var<storage, read> m: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn local_product(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) tid: u32) {
    // Places and the extents of the grid that is written and of the one that is read.
    let eh = select(p.oh, p.ih, BACK == 1u);
    let ew = select(p.ow, p.iw, BACK == 1u);
    let fh = select(p.ih, p.oh, BACK == 1u);
    let fw = select(p.iw, p.ow, BACK == 1u);
    let blocks = (p.n + WG * COLUMNS - 1u) / (WG * COLUMNS);
    let tiles = p.rows4 / ROWS;
    let g = group_index(wid, groups);
    let place = g / (blocks * tiles);
    if place >= eh * ew { return; }
    let first = g % blocks * WG * COLUMNS + tid;
    let tile = g / blocks % tiles;
    let h = place / ew;
    let w = place % ew;

    var sum: array<vec4<f32>, 16>;
    for (var i = 0u; i < 16u; i++) { sum[i] = vec4(0.0); }
    // Showers beyond the last read it again and are not stored.
    var at: array<u32, 4>;
    for (var u = 0u; u < COLUMNS; u++) { at[u] = min(first + u * WG, p.n - 1u); }

    for (var t = 0u; t < p.kh * p.kw; t++) {
        let a = t / p.kw;
        let b = t % p.kw;
        var qh = h * p.sh + a;
        var qw = w * p.sw + b;
        var q = place;
        if BACK == 1u {
            let dh = h - a;
            let dw = w - b;
            if h < a || w < b || dh % p.sh != 0u || dw % p.sw != 0u { continue; }
            qh = dh / p.sh;
            qw = dw / p.sw;
            q = qh * fw + qw;
        }
        if qh >= fh || qw >= fw { continue; }
        let cell = (qh * fw + qw) * p.n;
        let weights = ((q * p.kh * p.kw + t) * p.terms) * p.rows4 + tile * ROWS;
        for (var j = 0u; j < p.terms; j++) {
            let row = j * fh * fw * p.n + cell;
            var v: array<f32, 4>;
            for (var u = 0u; u < COLUMNS; u++) { v[u] = f32(x[row + at[u]]); }
            for (var r = 0u; r < ROWS; r++) {
                let weight = m[weights + j * p.rows4 + r];
                for (var u = 0u; u < COLUMNS; u++) { sum[r * 4u + u] += weight * v[u]; }
            }
        }
    }

    for (var r = 0u; r < ROWS; r++) {
        for (var k = 0u; k < 4u; k++) {
            let row = (tile * ROWS + r) * 4u + k;
            if row >= p.rows { break; }
            for (var u = 0u; u < COLUMNS; u++) {
                let n = first + u * WG;
                if n < p.n { y[(row * eh * ew + place) * p.n + n] = f32(sum[r * 4u + u][k]); }
            }
        }
    }
}

@compute @workgroup_size(WG)
fn local_weight(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) tid: u32) {
    let taps = p.kh * p.kw;
    let columns = taps * p.terms;
    let blocks = (columns + WG * COLUMNS - 1u) / (WG * COLUMNS);
    let tiles = p.rows4 / ROWS;
    let g = group_index(wid, groups);
    let place = g / (blocks * tiles);
    if place >= p.oh * p.ow { return; }
    let first = g % blocks * WG * COLUMNS + tid;
    let tile = g / blocks % tiles;

    var sum: array<vec4<f32>, 16>;
    for (var i = 0u; i < 16u; i++) { sum[i] = vec4(0.0); }
    // Where each term's cell begins; terms beyond the last read it again and are not stored.
    var at: array<u32, 4>;
    for (var u = 0u; u < COLUMNS; u++) {
        let q = min(first + u * WG, columns - 1u);
        let t = q / p.terms;
        let h = place / p.ow * p.sh + t / p.kw;
        let w = place % p.ow * p.sw + t % p.kw;
        at[u] = (h * p.iw + w) * p.n * p.terms + q % p.terms;
    }

    for (var n = 0u; n < p.n; n++) {
        var v: array<f32, 4>;
        for (var u = 0u; u < COLUMNS; u++) { v[u] = f32(x[at[u] + n * p.terms]); }
        for (var r = 0u; r < ROWS; r++) {
            let dy = m[(place * p.n + n) * p.rows4 + tile * ROWS + r];
            for (var u = 0u; u < COLUMNS; u++) { sum[r * 4u + u] += dy * v[u]; }
        }
    }

    for (var u = 0u; u < COLUMNS; u++) {
        let q = first + u * WG;
        if q >= columns { break; }
        let column = q % p.terms * taps + q / p.terms;
        for (var r = 0u; r < ROWS; r++) {
            for (var k = 0u; k < 4u; k++) {
                let row = (tile * ROWS + r) * 4u + k;
                if row < p.rows { y[(place * p.rows + row) * columns + column] = f32(sum[r * 4u + u][k]); }
            }
        }
    }
}
