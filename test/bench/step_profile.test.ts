import { describe, expect, it } from 'vitest';
import { Profiler } from '../../bench/profile.ts';
import { profileLines } from '../../bench/step_profile.ts';
import { operationsOf, WorkMeter } from '../../bench/work.ts';
import { combine } from '../../src/kernels/combine.ts';
import { openDevice } from '../gpu.ts';

describe('bench --profile', () => {
  it('shows shares, ceilings, gaps and the host', () => {
    const kernel = { count: 2, flops: 1e9, bytes: 1e6 };
    const lines = profileLines({
      case: 'step x',
      ms: 4.2,
      kernels: [
        { ...kernel, label: 'matmul_tiled[QM=2]', ms: 3 },
        { ...kernel, label: 'add', ms: 1, flops: 0, bytes: 2e7 },
      ],
      gaps: [
        { ms: 0.002, after: 'a', before: 'b' },
        { ms: 0.005, after: 'b', before: 'c' },
      ],
      hostMs: 2,
      phases: { copying: 0.1, finishing: 0.2, submitting: 0.3 },
      ceilings: { tflops: 1, gbps: 100 },
    });
    expect(lines).toEqual([
      'step x: 4.20 ms a step; its kernels, each timed by itself, 4.00 ms in 4 dispatches',
      'ceilings of this run: 100 GB/s, f32 multiply-add 1.00 TFLOP/s',
      '          ms   share  times  ceiling  kernel',
      '       3.000   75.0%      2    33.3%  matmul_tiled[QM=2]',
      '       1.000   25.0%      2    20.0%  add',
      'between dispatches, timed one by one: 0.007 ms, median 2.0 us; the longest',
      '         5.0 us  b -> c',
      '         2.0 us  a -> b',
      'host: 2.00 ms; recording 1.40, copying data 0.10, closing encoders 0.20, submitting 0.30',
    ]);
  });

  it('counts the operations of products and attention', () => {
    expect(operationsOf('matmul_tiled', { m: 2, n: 3, k: 5, batch: 7 })).toBe(420);
    const heads = { batch: 1, heads: 2, n: 3, keys: 5, head_dim: 7 };
    expect(operationsOf('attention_tiled_fwd', heads)).toBe(2 * 2 * 210);
    expect(operationsOf('attention_tiled_bwd_q_stored', heads)).toBe(2 * 210);
    expect(operationsOf('attention_tiled_bwd_q', heads)).toBe(3 * 2 * 210);
    expect(operationsOf('norm_fwd', {})).toBe(0);
  });

  it('knows the bytes of what it sees', async () => {
    const device = await openDevice({});
    const meter = new WorkMeter(device);
    const count = 1024;
    const buffer = () => device.createBuffer({ size: 4 * count, usage: 0x80 | 0x8 });
    const kernel = await combine.create(device);
    const dims = { count, alpha: 1 };
    const record = kernel.bind({ a: buffer(), out: buffer() }, dims);
    const profiler = device.features.has('timestamp-query') ? new Profiler(device, meter) : undefined;
    const work = async () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      kernel.encode(pass, record);
      kernel.encode(pass, record);
      pass.end();
      device.queue.submit([encoder.finish()]);
    };
    const times = await profiler?.measure(work);
    meter.dispose();
    expect(meter.of(record.bindGroup)?.bytes).toBeGreaterThanOrEqual(2 * 4 * count);
    if (profiler) expect(times).toMatchObject([{ count: 2, flops: 0 }]);
    if (profiler) expect(profiler.gaps).toHaveLength(1);
    device.destroy();
  });

  it('times more dispatches than one query set has room for', async () => {
    const device = await openDevice({});
    const kernel = await combine.create(device);
    const [count, times] = [64, 4100];
    const buffer = () => device.createBuffer({ size: 4 * count, usage: 0x80 | 0x8 });
    const record = kernel.bind({ a: buffer(), out: buffer() }, { count, alpha: 1 });
    const profiler = device.features.has('timestamp-query') ? new Profiler(device) : undefined;
    const work = async () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let i = 0; i < times; i++) kernel.encode(pass, record);
      pass.end();
      device.queue.submit([encoder.finish()]);
    };
    for (let turn = 0; turn < (profiler ? 2 : 0); turn++) {
      const kernels = await profiler?.measure(work);
      expect(kernels).toMatchObject([{ count: times }]);
      expect(kernels?.[0]?.ms).toBeGreaterThan(0);
      expect(profiler?.gaps).toHaveLength(times - 1);
      // A dispatch whose times are not read stands at the device's epoch.
      expect(profiler?.gaps.filter(({ ms }) => !(Math.abs(ms) < 1000))).toEqual([]);
    }
    profiler?.dispose();
    device.destroy();
  });
});
