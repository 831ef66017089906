import { describe, expect, it } from 'vitest';
import { KernelError } from '../../src/kernel/index.ts';
import { randomNormal } from '../../src/kernels/random.ts';
import { randomCases } from '../catalogue/random.ts';
import { runCase } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';

describe('random kernels', () => {
  for (const kase of randomCases.filter((c) => !c.benchOnly)) {
    it(`${kase.kernel} ${kase.name}: the bits of the host`, async () => {
      expect((await runCase(await testDevice(), kase)).error).toBe(0);
    });
  }

  it('refuses elements past 2^32, where numbers would repeat', async () => {
    const device = await testDevice();
    const kernel = await randomNormal.create(device);
    const buffer = () => device.createBuffer({ size: 16, usage: 0x80 });
    const [key, out] = [buffer(), buffer()];
    expect(() => kernel.bind({ key, out }, { count: 4, first: 2 ** 32 - 3 })).toThrow(KernelError);
    expect(() => kernel.bind({ key, out }, { count: 4, first: 2 ** 32 - 4 })).not.toThrow();
    key.destroy();
    out.destroy();
  });
});
