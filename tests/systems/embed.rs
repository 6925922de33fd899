//! What a host program relies on: forms of output, shared and foreign devices, threads, failing devices.

use std::sync::Arc;

use calogen::generate::{Generator, Hits, LabelRows};
use calogen::gpu::Gpu;
use calogen::{Error, wgpu};

use super::{gpu, small};

/// Seed and first event of these tests.
const AT: (u64, u64) = (9, 1000);

fn generator(gpu: &Arc<Gpu>) -> (Generator, LabelRows) {
    let mut generator = Generator::untrained(gpu, small()).expect("a generator");
    generator.set_batch(8);
    let energies: Vec<f32> = (0..21).map(|i| 20.0 + 3.0 * i as f32).collect();
    let labels = generator.labels(&energies, AT.0, AT.1).expect("labels");
    (generator, labels)
}

#[test]
fn every_form_of_output_holds_the_same_showers() {
    let (mut generator, labels) = generator(gpu());
    let whole = generator.generate(&labels, AT.0, AT.1).expect("showers");
    let cells = whole.len() / 21;

    let mut iterator = generator.showers(&labels, AT.0, AT.1).expect("showers");
    assert_eq!(iterator.size_hint().1, Some(21));
    let first = iterator.next().expect("one").expect("a shower");
    assert_eq!(iterator.size_hint().1, Some(20));
    let rest = iterator.map(|s| s.expect("a shower"));
    let joined: Vec<f32> = first.into_iter().chain(rest.flatten()).collect();
    assert!(joined == whole, "the iterator");

    let mut seen = 0;
    let each = generator.for_each(&labels, AT.0, AT.1, |shower| {
        assert_eq!(shower.event, AT.1 + seen as u64);
        assert_eq!(shower.labels, labels.row(seen));
        assert!(shower.cells == &whole[seen * cells..][..cells]);
        seen += 1;
        Ok(())
    });
    each.expect("showers");
    assert_eq!(seen, 21);

    let stop = generator.for_each(&labels, AT.0, AT.1, |_| Err(Error::Config("enough".into())));
    assert_eq!(stop.expect_err("the host's error").to_string(), "enough");
    assert!(generator.generate(&labels, AT.0, AT.1).expect("again") == whole);
}

#[test]
fn hits_are_the_cells_above_the_threshold() {
    let (mut generator, labels) = generator(gpu());
    let [_, x, y] = generator.shape();
    let whole = generator.generate(&labels, AT.0, AT.1).expect("showers");
    let mut positive: Vec<f32> = whole.iter().copied().filter(|&e| e > 0.0).collect();
    positive.sort_by(f32::total_cmp);
    // More than an eighth of the cells is more than is read at first: such a batch is computed again.
    assert!(positive.len() > whole.len() / 8 && positive.len() < whole.len());
    for threshold in [0.0, positive[positive.len() / 3]] {
        generator.set_threshold(threshold);
        let mut wanted = Hits::default();
        for shower in whole.chunks_exact(whole.len() / 21) {
            for (cell, &energy) in shower.iter().enumerate() {
                if energy > 0.0 && energy >= threshold {
                    wanted.cells.push(cell as u32);
                    wanted.energies.push(energy);
                }
            }
            wanted.offsets.push(wanted.cells.len());
        }
        let hits = generator.hits(&labels, AT.0, AT.1).expect("hits");
        assert_eq!(hits, wanted);
        assert_eq!(hits.showers(), 21);
        let mut seen = 0;
        let each = generator.for_each_hits(&labels, AT.0, AT.1, |hits| {
            assert_eq!((hits.cells, hits.energies), wanted.shower(seen));
            assert_eq!(hits.labels, labels.row(seen));
            seen += 1;
            Ok(())
        });
        each.expect("hits");
        for &cell in &hits.cells[..50] {
            let [z, i, j] = generator.cell(cell);
            assert_eq!((z * x + i) * y + j, cell as usize);
        }
    }
}

/// Reads a buffer of the host as the host would.
fn read(gpu: &Gpu, buffer: &wgpu::Buffer) -> Vec<f32> {
    let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffer.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
    gpu.queue().submit([encoder.finish()]);
    staging
        .slice(..)
        .map_async(wgpu::MapMode::Read, |r| r.expect("mapped"));
    let done = gpu.device().poll(wgpu::PollType::wait_indefinitely());
    done.expect("the device");
    let view = staging.slice(..).get_mapped_range().expect("bytes");
    bytemuck::pod_collect_to_vec(&view)
}

#[test]
fn showers_stay_on_a_device_of_the_host() {
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()));
    let adapter = adapter.expect("an adapter");
    // wgpu's default limits, and no features.
    let opened = pollster::block_on(adapter.request_device(&Default::default()));
    let (device, queue) = opened.expect("a device");
    device.on_uncaptured_error(Arc::new(|e| panic!("the host sees an error: {e}")));
    let host = Gpu::from_device(device, queue).expect("usable");
    let (mut there, labels) = generator(&host);
    let wanted = there.generate(&labels, AT.0, AT.1).expect("showers");

    let buffer = there
        .generate_on_device(&labels, AT.0, AT.1)
        .expect("a buffer");
    assert_eq!(buffer.size(), wanted.len() as u64 * 4);
    assert!(read(&host, &buffer) == wanted, "on the device");
    // Behind 40 bytes of the host's own, which stay as they are.
    let more = host.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffer.size() + 48,
        usage: buffer.usage(),
        mapped_at_creation: false,
    });
    host.queue()
        .write_buffer(&more, 0, bytemuck::cast_slice(&[7.0f32; 11]));
    there
        .generate_into(&labels, AT.0, AT.1, &more, 40)
        .expect("room");
    let found = read(&host, &more);
    assert!(found[..10] == [7.0; 10] && found[10..wanted.len() + 10] == wanted[..]);
    assert_eq!(found[wanted.len() + 10..], [0.0, 0.0]);

    let error = |offset| {
        let done = there.generate_into(&labels, AT.0, AT.1, &more, offset);
        done.expect_err("no room").to_string()
    };
    let mut error = error;
    assert!(error(52).contains("do not fit"));
    assert!(error(41).contains("multiple of 4"));
    assert!(error(u64::MAX).contains("do not fit"));
}

#[test]
fn threads_share_a_device() {
    let (mut alone, labels) = generator(gpu());
    let wanted = alone.generate(&labels, AT.0, AT.1).expect("showers");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (mut own, labels, wanted) = (generator(gpu()).0, &labels, &wanted);
            scope.spawn(move || {
                for _ in 0..3 {
                    assert!(own.generate(labels, AT.0, AT.1).expect("showers") == *wanted);
                }
            });
        }
    });
}

/// Compiles or does not.
#[test]
fn generators_can_be_sent_to_threads() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Generator>();
    sync::<Generator>();
    send::<Gpu>();
    sync::<Gpu>();
    send::<Error>();
    sync::<Error>();
}

#[test]
fn too_little_memory_makes_the_batch_smaller_and_then_an_error() {
    let gpu = Gpu::open(None).expect("a device");
    let (mut generator, labels) = generator(&gpu);
    generator.set_batch(16);
    let wanted = generator.generate(&labels, AT.0, AT.1).expect("showers");
    // What is held now cannot grow: the next size does not fit, half of it is there already.
    gpu.limit_memory(Some(gpu.memory_held()));
    generator.set_batch(32);
    assert!(generator.generate(&labels, AT.0, AT.1).expect("smaller") == wanted);
    assert_eq!(generator.at_once(32).expect("a program"), 16);

    let fresh = Generator::untrained(&gpu, small()).err();
    assert!(matches!(fresh, Some(Error::OutOfMemory(_))), "{fresh:?}");
    gpu.limit_memory(None);
    assert!(generator.generate(&labels, AT.0, AT.1).expect("showers") == wanted);
}

#[test]
fn memory_that_runs_out_on_the_way_halves_the_batch_once() {
    let gpu = Gpu::open(None).expect("a device");
    let (mut generator, labels) = generator(&gpu);
    generator.set_batch(16);
    let wanted = generator.generate(&labels, AT.0, AT.1).expect("showers");
    generator.plan(8).expect("a program");
    // Both programs exist; what is missing is the room to read back, which the larger program gives up.
    gpu.trim();
    gpu.limit_memory(Some(gpu.memory_held()));
    assert!(generator.generate(&labels, AT.0, AT.1).expect("smaller") == wanted);
    // Without anything to give up it is an error, and nothing is broken by it.
    gpu.trim();
    gpu.limit_memory(Some(gpu.memory_held()));
    let error = generator
        .generate(&labels, AT.0, AT.1)
        .expect_err("no room");
    assert!(matches!(error, Error::OutOfMemory(_)), "{error}");
    gpu.limit_memory(None);
    assert!(generator.generate(&labels, AT.0, AT.1).expect("showers") == wanted);
}

#[test]
fn a_lost_device_is_an_error_and_reloading_helps() {
    let gpu = Gpu::open(None).expect("a device");
    let (mut generator, labels) = generator(&gpu);
    let wanted = generator.generate(&labels, AT.0, AT.1).expect("showers");
    let mut blocks = 0;
    let lost = generator.stream(&labels, AT.0, AT.1, |_| {
        blocks += 1;
        gpu.device().destroy();
        Ok(())
    });
    assert!(matches!(lost, Err(Error::Device(_))), "{lost:?}");
    assert!(blocks < 3, "showers after the loss");
    let again = generator.generate(&labels, AT.0, AT.1);
    assert!(matches!(again, Err(Error::Device(_))), "{again:?}");
    let fresh = Gpu::open(None).expect("another device");
    let (mut reloaded, _) = self::generator(&fresh);
    assert!(reloaded.generate(&labels, AT.0, AT.1).expect("showers") == wanted);
}

#[test]
fn labels_outside_the_training_range_are_named() {
    let (generator, mut labels) = generator(gpu());
    assert_eq!(generator.outside(&labels).count(), 0);
    labels.values[3 * 5] = 400.0;
    labels.values[3 * 7 + 2] = -9.0;
    let found: Vec<_> = generator.outside(&labels).collect();
    assert_eq!((found[0].event, found[1].event, found.len()), (5, 7, 2));
    let text = found[0].to_string();
    assert!(
        text.contains("energy outside") && text.contains("10 to 100"),
        "{text}"
    );
    assert_eq!(found[1].condition.name, "position_y");
}
