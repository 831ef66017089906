import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { requestDevice } from '../../src/device/index.ts';

const never = () => new Promise<never>(() => {});

/** A GPU whose adapter is there from the n-th time on that it is asked for. */
function gpuThatAnswers(from: number, answer: () => Promise<unknown>) {
  const asked = vi.fn(async () => (asked.mock.calls.length < from ? never() : answer()));
  return { asked, gpu: { requestAdapter: asked } as unknown as GPU };
}

const adapterOf = (requestDevice: () => Promise<unknown>) => ({
  features: new Set(),
  limits: {},
  info: {},
  requestDevice,
});

describe('a GPU that does not answer', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is asked again, and its first answer counts', async () => {
    const device = {};
    const { asked, gpu } = gpuThatAnswers(3, async () => adapterOf(async () => device));
    const opened = requestDevice(gpu);
    await vi.advanceTimersByTimeAsync(19_000);
    expect(asked).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await opened).toBe(device);
    expect(asked).toHaveBeenCalledTimes(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is given up after a minute, with what to do', async () => {
    const { asked, gpu } = gpuThatAnswers(1000, never);
    const opened = expect(requestDevice(gpu)).rejects.toThrow(/the GPU gave no answer within a minute.*Fix: /);
    await vi.advanceTimersByTimeAsync(60_000);
    await opened;
    expect(asked).toHaveBeenCalledTimes(6);
  });

  it('so is an adapter', async () => {
    const { gpu } = gpuThatAnswers(1, async () => adapterOf(never));
    const opened = expect(requestDevice(gpu)).rejects.toThrow('its adapter gave no answer within a minute');
    await vi.advanceTimersByTimeAsync(60_000);
    await opened;
    expect(vi.getTimerCount()).toBe(0);
  });
});
