import { afterEach, describe, expect, it, vi } from 'vitest';
import { compileWithHelp, driverShares, shareCompiling } from '../../src/device/compilers.node.ts';
import { catalogue } from '../catalogue/index.ts';
import { runCase } from '../catalogue/run.ts';
import { openDevice } from '../gpu.ts';

afterEach(() => void vi.useRealTimers());

const METHODS = [
  'createComputePipelineAsync',
  'createShaderModule',
  'createBindGroupLayout',
  'createPipelineLayout',
] as const;

/** What is asked of a device that makes nothing: each pipeline takes `ms`, or is refused. */
function paper(ms: (code: string) => number | 'refused', lost: Promise<unknown> = new Promise(() => {})) {
  const asked: string[] = [];
  const prototype = {
    pushErrorScope: () => {},
    popErrorScope: async () => null,
    createShaderModule: ({ code }: { code: string }) => ({ code }),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    async createComputePipelineAsync({ compute: { module } }: { compute: { module: { code: string } } }) {
      const { code } = module;
      asked.push(code);
      const takes = ms(code);
      if (takes === 'refused') throw new Error(`${code} is refused`);
      await new Promise((done) => setTimeout(done, takes));
      return { code };
    },
  };
  const destroy = vi.fn();
  const device = Object.assign(Object.create(prototype) as object, { lost, destroy }) as unknown as GPUDevice;
  return { device, asked, destroy };
}

/** Asks a device for a pipeline as kernels do. */
async function ask(device: GPUDevice, code: string): Promise<unknown> {
  const layout = device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries: [] })] });
  return device.createComputePipelineAsync({ layout, compute: { module: device.createShaderModule({ code }) } });
}

const isWatched = (device: GPUDevice) => METHODS.some((name) => Object.hasOwn(device, name));

describe('a device that others help to compile', () => {
  it('has others compile first, about as much text each, and then compiles all itself', async () => {
    vi.useFakeTimers();
    const [own, first, second] = [paper(() => 10), paper(() => 100), paper(() => 100)];
    shareCompiling(own.device, [first.device, second.device]);
    const all = Promise.all(['aaaa', 'bbb', 'ccccc', 'd', 'e'].map((code) => ask(own.device, code)));
    await vi.advanceTimersByTimeAsync(0);
    expect([own.asked, first.asked, second.asked]).toEqual([['aaaa', 'e'], ['bbb', 'd'], ['ccccc']]);
    await vi.advanceTimersByTimeAsync(200);
    expect(await all).toEqual(['aaaa', 'bbb', 'ccccc', 'd', 'e'].map((code) => ({ code })));
    expect(own.asked.toSorted()).toEqual(['aaaa', 'bbb', 'ccccc', 'd', 'e']);
  });

  it('lets them go when nothing has come for 20 s, and is then as it was', async () => {
    vi.useFakeTimers();
    const [own, helper] = [paper(() => 10), paper(() => 100)];
    shareCompiling(own.device, [helper.device]);
    await vi.advanceTimersByTimeAsync(15_000); // a training that still makes its model
    expect(isWatched(own.device)).toBe(true);
    const all = ['a', 'b'].map((code) => ask(own.device, code));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await Promise.all(all)).toEqual([{ code: 'a' }, { code: 'b' }]);
    expect(helper.destroy).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(200);
    expect(helper.destroy).toHaveBeenCalledOnce();
    expect(isWatched(own.device)).toBe(false);
    expect(await Promise.all([ask(own.device, 'c'), vi.advanceTimersByTimeAsync(10)])).toMatchObject([
      { code: 'c' },
      {},
    ]);
    expect(helper.asked).toEqual(['b']);
  });

  it('lets them go when it is lost, and still answers what was asked', async () => {
    vi.useFakeTimers();
    let lose = (_: unknown) => {};
    const [lost, helper] = [paper(() => 10, new Promise((done) => (lose = done))), paper(() => 100)];
    shareCompiling(lost.device, [helper.device]);
    const all = ['a', 'b'].map((code) => ask(lost.device, code));
    await vi.advanceTimersByTimeAsync(5);
    lose({ reason: 'destroyed' });
    await vi.advanceTimersByTimeAsync(0);
    expect(helper.destroy).toHaveBeenCalledOnce();
    expect(isWatched(lost.device)).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(await Promise.all(all)).toEqual([{ code: 'a' }, { code: 'b' }]);
  });

  it('compiles what a helper refuses, and what they cannot be told', async () => {
    vi.useFakeTimers();
    const [own, helper] = [paper(() => 10), paper(() => 'refused')];
    const before = own.device.createShaderModule({ code: 'before' });
    shareCompiling(own.device, [helper.device]);
    const layout = 'auto';
    const all = Promise.all([
      ask(own.device, 'a'),
      ask(own.device, 'b'),
      own.device.createComputePipelineAsync({ layout, compute: { module: before } }),
    ]);
    await vi.advanceTimersByTimeAsync(100);
    expect(await all).toEqual([{ code: 'a' }, { code: 'b' }, { code: 'before' }]);
    expect(helper.asked).toEqual(['b']);
  });

  it('says what it refuses itself', async () => {
    const [own, helper] = [paper(() => 'refused'), paper(() => 'refused')];
    shareCompiling(own.device, [helper.device]);
    const all = await Promise.allSettled(['a', 'b'].map((code) => ask(own.device, code)));
    expect(all.map((one) => one.status === 'rejected' && String(one.reason))).toEqual([
      'Error: a is refused',
      'Error: b is refused',
    ]);
  });

  it('has right kernels, and names what does not compile', async () => {
    const [own, first, second] = await Promise.all([0, 1, 2].map(() => openDevice({ limits: 'default' })));
    const [device, ...helpers] = [own, first, second] as [GPUDevice, GPUDevice, GPUDevice];
    const asked = helpers.map((helper) => vi.spyOn(helper, 'createComputePipelineAsync'));
    shareCompiling(device, helpers);
    const cases = ['add', 'lincomb', 'norm', 'sumCols'].map((name) =>
      catalogue.find(({ kernel, forced, benchOnly }) => kernel === name && !forced && !benchOnly),
    );
    const runs = cases.map((kase) => kase?.prepare(device));
    await Promise.all(runs.map((run) => run?.kernel.ready));
    expect(asked.reduce((sum, { mock }) => sum + mock.calls.length, 0)).toBeGreaterThanOrEqual(2);
    for (const [i, kase] of cases.entries()) {
      if (!kase) throw new Error(`no case ${i}`);
      await runCase(device, kase, runs[i]); // throws where it is wrong
    }
    const said = helpers.map((helper) => {
      const uncaptured = vi.fn();
      helper.onuncapturederror = uncaptured;
      return uncaptured;
    });
    device.pushErrorScope('validation');
    const wrong = ['f()', 'g()', 'h()'].map((call) =>
      ask(device, `@compute @workgroup_size(1) fn main() { ${call}; }`),
    );
    const complaint = device.popErrorScope();
    for (const { status } of await Promise.allSettled(wrong)) expect(status).toBe('rejected');
    expect((await complaint)?.message).toContain("unresolved call target 'f'");
    for (const uncaptured of said) expect(uncaptured).not.toHaveBeenCalled();
    device.destroy();
    for (const helper of helpers) expect((await helper.lost).reason).toBe('destroyed');
  });
});

describe('whether a driver shares what it compiled', () => {
  it('is found by the time it takes, with a text that is new each time', async () => {
    vi.useFakeTimers();
    const [slow, quick, also] = [paper(() => 50), paper(() => 6), paper(() => 45)];
    const shares = driverShares(slow.device, quick.device);
    await vi.advanceTimersByTimeAsync(200);
    expect(await shares).toBe(true);
    const apart = driverShares(slow.device, also.device);
    await vi.advanceTimersByTimeAsync(400);
    expect(await apart).toBe(false);
    expect(new Set(slow.asked).size).toBe(6);
    expect(quick.asked).toEqual(slow.asked.slice(0, 2));
  });

  it('is found though an answer comes late', async () => {
    vi.useFakeTimers();
    const answers = [6, 60, 6];
    const [slow, late] = [paper(() => 50), paper(() => answers.shift() as number)];
    const shares = driverShares(slow.device, late.device);
    await vi.advanceTimersByTimeAsync(300);
    expect(await shares).toBe(true);
    expect(answers).toEqual([]);
  });

  it('decides whether devices are kept that help', async () => {
    vi.useFakeTimers();
    const tried = async (first: number | 'refused', second: number | 'refused', ...opened: ('fails' | 'opens')[]) => {
      const [own, ...helpers] = [paper(() => 10), paper(() => first), paper(() => second)];
      let i = 0;
      const open = async () => {
        if (opened[i++] === 'fails') throw new Error('no more devices');
        return (helpers[i - 1] as (typeof helpers)[number]).device;
      };
      await Promise.all([compileWithHelp(own.device, open), vi.advanceTimersByTimeAsync(500)]);
      return [isWatched(own.device), ...helpers.map(({ destroy }) => destroy.mock.calls.length)];
    };
    expect(await tried(50, 6)).toEqual([true, 0, 0]);
    expect(await tried(50, 45)).toEqual([false, 1, 1]);
    expect(await tried('refused', 6)).toEqual([false, 1, 1]);
    expect(await tried(50, 6, 'opens', 'fails')).toEqual([false, 1, 0]);
    expect(await tried(50, 6, 'fails', 'opens')).toEqual([false, 0, 1]);
  });
});
