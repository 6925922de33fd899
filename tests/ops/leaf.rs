//! Inputs, constants and states, and programs made of them.

use calogen::gpu::Gpu;
use calogen::tape::{Options, State, Tape};

use crate::common::{Nd, POISON, evaluate, gpu};

#[test]
fn constants_and_inputs() {
    let found = evaluate(&[Nd::new(&[3], vec![1.0, 2.0, 3.0])], |t, v| {
        let long: Vec<f32> = (0..30).map(|i| i as f32).collect();
        let table = t.constant(&long, &[10, 3]);
        vec![
            table,
            v[0],
            t.constant(&[4.0, 5.0, 6.0], &[3]) + v[0],
            t.full(7.0, &[2, 2]),
            t.full(2.0, &[]) * t.full(3.0, &[3]),
            t.constant(&[1.5], &[1]).exp(),
        ]
    });
    assert_eq!(found[0], (0..30).map(|i| i as f32).collect::<Vec<_>>());
    assert_eq!(found[1], [1.0, 2.0, 3.0]);
    assert_eq!(found[2], [5.0, 7.0, 9.0]);
    assert_eq!(found[3], [7.0; 4]);
    assert_eq!(found[4], [6.0; 3]);
    assert!((found[5][0] - 1.5f32.exp()).abs() < 1e-6);
}

#[test]
fn integer_inputs_arrive_bit_for_bit() {
    let tape = Tape::new();
    let x = tape.input_u32("x", &[4]);
    let table = tape.indices(&[9, 8, 7, 6], &[2, 2]);
    let program = tape
        .compile(gpu(), &[("x", x), ("table", table)], POISON)
        .unwrap();
    // A signalling NaN and a subnormal among them, were they floats.
    let bits = [0, 1, 0x7f80_0001, u32::MAX];
    program.set_u32("x", &bits).unwrap();
    program.run().unwrap();
    assert_eq!(program.read_u32("x").unwrap(), bits);
    assert_eq!(program.read_u32("table").unwrap(), [9, 8, 7, 6]);
}

#[test]
fn inputs_that_nothing_needs_are_ignored() {
    let tape = Tape::new();
    let (x, unused) = (tape.input("x", &[2]), tape.input("unused", &[3]));
    let _dead = unused.exp();
    let program = tape.compile(gpu(), &[("y", x * 2.0)], POISON).unwrap();
    program.set("unused", &[1.0, 2.0, 3.0]).unwrap();
    program.set("no such thing", &[1.0]).unwrap();
    program.set("x", &[1.0, 2.0]).unwrap();
    program.run().unwrap();
    assert_eq!(program.read("y").unwrap(), [2.0, 4.0]);
    assert_eq!(program.shape("y").unwrap(), [2]);
    assert_eq!(program.plan().steps.len(), 1);
}

#[test]
fn wrong_lengths_and_names_are_errors() {
    let tape = Tape::new();
    let program = tape
        .compile(gpu(), &[("y", tape.input("x", &[2, 3]).exp())], POISON)
        .unwrap();
    let message = program.set("x", &[0.0; 5]).unwrap_err().to_string();
    assert!(
        message.contains("5 values for x of shape [2, 3]"),
        "{message}"
    );
    let message = program.read("z").unwrap_err().to_string();
    assert!(message.contains("no output 'z'"), "{message}");

    let state = State::new(gpu().buffer(256).unwrap(), 0, &[4], "s");
    let message = state.set(gpu(), &[0.0; 3]).unwrap_err().to_string();
    assert!(message.contains("3 values for shape [4]"), "{message}");

    let tape = Tape::new();
    let bad = tape.constant(&[1.0, 2.0], &[3]);
    let message = tape
        .compile(gpu(), &[("y", bad)], POISON)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("constant: 2 values for shape [3]"),
        "{message}"
    );
    assert!(message.contains("leaf.rs:"), "{message}");
    let tape = Tape::new();
    let message = tape.compile(gpu(), &[("y", tape.input("x", &[3, 0]))], POISON);
    let message = message.unwrap_err().to_string();
    assert!(
        message.contains("[3, 0]") && message.contains("leaf.rs:"),
        "{message}"
    );
}

/// A state of its own buffer.
pub fn state(key: &str, values: &[f32]) -> State {
    let state = State::new(
        gpu().buffer(values.len() as u64 * 4).unwrap(),
        0,
        &[values.len()],
        key,
    );
    state.set(gpu(), values).unwrap();
    state
}

#[test]
fn two_programs_share_a_state() {
    let s = state("s", &[1.0, 2.0, 3.0]);
    let read = Tape::new();
    let read = read
        .compile(gpu(), &[("y", read.state(&s) * 10.0)], POISON)
        .unwrap();
    let write = Tape::new();
    let x = write.input("x", &[3]);
    write.store(&s, write.state(&s) + x);
    let write = write.compile(gpu(), &[], POISON).unwrap();
    read.run().unwrap();
    assert_eq!(read.read("y").unwrap(), [10.0, 20.0, 30.0]);
    write.set("x", &[0.5, 0.0, -1.0]).unwrap();
    write.run().unwrap();
    write.run().unwrap();
    read.run().unwrap();
    assert_eq!(read.read("y").unwrap(), [20.0, 20.0, 10.0]);
    assert_eq!(s.get(gpu()).unwrap(), [2.0, 2.0, 1.0]);
}

#[test]
fn states_share_a_buffer() {
    let align = u64::from(
        gpu()
            .capabilities()
            .limits
            .min_storage_buffer_offset_alignment,
    );
    let buffer = gpu().buffer(2 * align + 64).unwrap();
    let states: Vec<State> = (0..3)
        .map(|i| State::new(buffer.clone(), i * align, &[3], &format!("s{i}")))
        .collect();
    for (i, s) in states.iter().enumerate() {
        s.set(gpu(), &[i as f32; 3]).unwrap();
    }
    let tape = Tape::new();
    tape.store(&states[1], tape.state(&states[2]) + tape.state(&states[0]));
    let program = tape
        .compile(gpu(), &[("two", tape.state(&states[2]))], POISON)
        .unwrap();
    program.run().unwrap();
    assert_eq!(program.read("two").unwrap(), [2.0; 3]);
    let found: Vec<_> = states.iter().map(|s| s.get(gpu()).unwrap()[1]).collect();
    assert_eq!(found, [0.0, 2.0, 2.0]);
}

#[test]
fn what_depends_on_frozen_states_alone_is_computed_once() {
    let s = state("s", &[1.0, 4.0, 9.0]);
    let tape = Tape::new();
    // The root is read twice, so it stays a step of its own.
    let root = tape
        .state(&s)
        .sqrt()
        .permute(&[0])
        .reshape(&[3, 1])
        .expand(&[3, 5]);
    let packed = root.permute(&[1, 0]);
    let y = packed * tape.input("x", &[3]) + packed.sum_keep(&[1]);
    let options = |frozen| Options { frozen, ..POISON };
    let once = |frozen| {
        let program = tape.compile(gpu(), &[("y", y)], options(frozen)).unwrap();
        program.set("x", &[1.0, 1.0, 1.0]).unwrap();
        program.run().unwrap();
        program.run().unwrap();
        let want: Vec<f32> = [7.0, 8.0, 9.0].repeat(5);
        assert_eq!(program.read("y").unwrap(), want);
        let steps = &program.plan().steps;
        (
            steps.iter().filter(|s| s.once).count(),
            steps.len(),
            program,
        )
    };
    let (none, all, _) = once(false);
    let (some, same, program) = once(true);
    assert_eq!((none, all), (0, same));
    assert!(some >= 2 && some < same, "{}", program.plan());
    assert!(program.plan().to_string().contains("(once)"));
    // It was computed when the program was made.
    s.set(gpu(), &[0.0; 3]).unwrap();
    program.run().unwrap();
    assert_eq!(program.read("y").unwrap()[0], 7.0);
}

#[test]
fn runs_allocate_nothing() {
    // A device of its own, since other tests allocate on the shared one.
    let gpu = Gpu::open(None).unwrap();
    let s = State::new(gpu.buffer(400).unwrap(), 0, &[100], "s");
    s.set(&gpu, &[0.0; 100]).unwrap();
    let tape = Tape::new();
    let x = tape.input("x", &[100]);
    let y = (tape.state(&s) + x).exp().sum_all();
    tape.store(&s, tape.state(&s) * 0.5 + x);
    let program = tape.compile(&gpu, &[("y", y)], POISON).unwrap();
    let step = |v: f32| {
        program.set("x", &[v; 100]).unwrap();
        program.run().unwrap();
        program.read("y").unwrap()[0]
    };
    step(0.0);
    let before = gpu.allocations();
    let values: Vec<f32> = (0..50).map(|i| step(i as f32 * 0.01)).collect();
    assert_eq!(gpu.allocations(), before);
    assert!(values.windows(2).all(|w| w[1] > w[0]), "{values:?}");
    // Memory of a dropped program is used again.
    drop(program);
    let program = tape.compile(&gpu, &[("y", y)], POISON).unwrap();
    let groups = program.plan().steps.len() as u64;
    let after = gpu.allocations();
    assert!(
        after <= before + 1 + groups,
        "one block of parameters and {groups} bind groups, not {}",
        after - before
    );
    drop(program);
}

#[test]
fn equal_ops_are_one_and_dead_ops_none() {
    let tape = Tape::new();
    let x = tape.input("x", &[300]);
    let (a, b) = (x.exp().sum_all(), x.exp().sum_all());
    let _dead = x.log().sum_all();
    let program = tape.compile(gpu(), &[("a", a), ("b", b)], POISON).unwrap();
    assert_eq!(program.plan().steps.len(), 1, "{}", program.plan());
    program.set("x", &[0.0; 300]).unwrap();
    program.run().unwrap();
    assert_eq!(program.read("a").unwrap(), [300.0]);
    assert_eq!(program.read("b").unwrap(), [300.0]);
}

#[test]
fn results_do_not_depend_on_the_order_of_reading() {
    let tape = Tape::new();
    let x = tape.input("x", &[1000]);
    let mut y = vec![x];
    for _ in 0..6 {
        let last = *y.last().unwrap();
        y.push(last.reshape(&[10, 100]).permute(&[1, 0]).reshape(&[1000]) + x);
    }
    let names: Vec<String> = (0..y.len()).map(|i| format!("y{i}")).collect();
    let all: Vec<_> = names
        .iter()
        .map(String::as_str)
        .zip(y.iter().copied())
        .collect();
    let program = tape.compile(gpu(), &all, POISON).unwrap();
    let last = tape.compile(gpu(), &[("y", y[6])], POISON).unwrap();
    let values: Vec<f32> = (0..1000).map(|i| i as f32).collect();
    for p in [&program, &last] {
        p.set("x", &values).unwrap();
        p.run().unwrap();
    }
    assert_eq!(program.read("y0").unwrap(), values);
    assert_eq!(program.read("y6").unwrap(), last.read("y").unwrap());
    // Buffers of temporaries are shared.
    assert!(last.plan().buffers.len() < program.plan().buffers.len());
}
