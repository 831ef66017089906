import { describe, expect, it } from 'vitest';
import type { PartialConfig } from '../../src/run/index.ts';
import {
  loadModel,
  type Measured,
  MemoryStore,
  openSession,
  type Sampled,
  samplesPng,
  shapesDataset,
  storedModel,
  type TrainRequest,
  train,
} from '../../src/run/index.ts';
import { openDevice, testDevice } from '../gpu.ts';

const data = shapesDataset({ size: 16, count: 96 });
const SMALL: PartialConfig = {
  model: { hidden_size: 16, depth: 1, num_heads: 2 },
  data: { batch_size: 4 },
  train: { steps: 6, log_every: 2, checkpoint_every: 2, keep_checkpoints: 1 },
  sample: { sampling_steps: 2, cfg_scale: 1 },
};

const small = async (request: Partial<TrainRequest> = {}): Promise<TrainRequest> => ({
  device: await testDevice(),
  preset: 'tiny',
  config: SMALL,
  data,
  ...request,
});

describe('a session', () => {
  it('trains, draws, saves and loads in ten lines', async () => {
    const steps: Measured[] = [];
    const pictures: [number, Sampled][] = [];
    const session = await train(
      await small({
        steps: 4,
        onStep: (step) => void steps.push(step),
        onSamples: (samples, step) => void pictures.push([step, samples]),
      }),
    );
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(steps.every(({ loss, imagesPerSecond }) => loss > 0 && imagesPerSecond > 0)).toBe(true);
    expect(pictures.map(([step]) => step)).toEqual([1, 2, 3, 4]); // twenty in all, one a step at most
    const drawn = await session.sample({ labels: [0, 5, 2], seed: 7, steps: 3, keepAll: true });
    expect(drawn).toMatchObject({ shape: [1, 16, 16], nfe: 3, labels: Uint32Array.of(0, 5, 2) });
    expect(drawn.all).toHaveLength(4);
    expect(drawn.all.at(-1)).toEqual(drawn.samples);
    expect(samplesPng(drawn).slice(1, 4)).toEqual(new TextEncoder().encode('PNG'));
    const model = await loadModel(await session.save());
    const again = await model.sample({ device: session.device, labels: [0, 5, 2], seed: 7, steps: 3 });
    expect(again.samples).toEqual(drawn.samples);
    await model.free();
    const stored = await storedModel(session.store);
    expect(stored.step).toBe(4);
    expect(stored.weights).toEqual(model.weights);
    await session.close();
    await expect(session.sample()).rejects.toThrow('closed');
  });

  it('of a model that takes guidance draws by it, and so does the model that it saves', async () => {
    const transport = {
      ...{ method: 'ANYSTEP', step_ratio: [0.1, 0.1], enhanced_ratio: 0, guidance_scales: [1, 4] },
      ...{ wt_cosine_loss: false, weight_function: null },
    } as PartialConfig['transport'];
    const config = { ...SMALL, transport, model: { ...SMALL.model, two_times: true, guidance_input: true } };
    const session = await train(await small({ config: config as PartialConfig }));
    const ask = (cfg_scale: number) => ({ labels: [0, 1, 2], seed: 7, sample: { cfg_scale } });
    const [none, drawn] = [await session.sample(ask(1)), await session.sample(ask(4))];
    expect(drawn.samples).not.toEqual(none.samples);
    const model = await loadModel(await session.save());
    expect(model.config.model.guidance_input).toBe(true);
    const again = await model.sample({ device: session.device, ...ask(4) });
    expect(again.samples).toEqual(drawn.samples);
    await model.free();
    await session.close();
  });

  it('keeps the last step of a falling rate, also where it goes on for longer, and checks it before it asks for a device', async () => {
    const optimizer = { type: 'Muon', warmup_steps: 2, lr_decay: 'cosine' } as const;
    const [store, kept] = [new MemoryStore(), { lr_decay_steps: 6, ...optimizer }];
    await (await train(await small({ store, config: { ...SMALL, optimizer }, steps: 3 }))).close();
    expect(store.kept?.optimizer).toMatchObject({ ...kept, lr_decay_steps: 3 });
    const whole = new MemoryStore();
    const session = await train(await small({ store: whole, config: { ...SMALL, optimizer }, steps: 6 }));
    expect(whole.kept?.optimizer).toMatchObject(kept);
    await session.train({ steps: 7 });
    expect(whole.kept?.optimizer).toMatchObject(kept);
    await session.close();
    const wrong = { ...SMALL, optimizer: { ...optimizer, warmup_steps: 9 } };
    const asked = openSession({ ...(await small({ config: wrong })), device: undefined } as TrainRequest);
    await expect(asked).rejects.toThrow('optimizer: lr_decay_steps is 6 after 9 steps of warm-up');
  });

  it('pauses, draws meanwhile, goes on, is cancelled and goes on again, to the same bits', async () => {
    const whole = new MemoryStore();
    await (await train(await small({ store: whole }))).close();
    const store = new MemoryStore();
    const heard: string[] = [];
    const session = await openSession(
      await small({
        store,
        onStep: ({ step }) => {
          heard.push(`step ${step}`);
          if (step === 2) session.pause();
          if (step === 4) session.cancel();
        },
      }),
    );
    const trained = session.train();
    while (session.state !== 'paused') await new Promise((resolve) => setTimeout(resolve, 1));
    expect(session.state).toBe('paused');
    expect((await session.sample({ count: 2 })).labels).toEqual(Uint32Array.of(0, 1));
    await expect(session.train()).rejects.toThrow('training already');
    session.resume();
    await trained;
    expect(session).toMatchObject({ state: 'ready', step: 4 });
    expect([...store.saved.keys()]).toEqual([4]);
    await session.train();
    expect(session.step).toBe(6);
    expect(heard).toEqual([1, 2, 3, 4, 5, 6].map((step) => `step ${step}`));
    expect(store.saved).toEqual(whole.saved);
    await session.close();
  });

  it('goes on from a store, and from the bytes of a checkpoint, as if it had never stopped', async () => {
    const whole = new MemoryStore();
    await (await train(await small({ store: whole }))).close();
    const store = new MemoryStore();
    const first = await train(await small({ store, steps: 3 }));
    const checkpoint = await first.checkpoint();
    expect(store.saved.get(3)).toEqual(checkpoint);
    await first.close();
    const { preset: _, config: __, ...rest } = await small({ store, steps: 6, resume: true });
    const notes: string[] = [];
    await (await train({ ...rest, onNote: (text) => void notes.push(text) })).close();
    expect(notes).toEqual(['resumed at step 3']);
    expect(store.saved).toEqual(whole.saved);
    const other = new MemoryStore();
    await (await train(await small({ store: other, checkpoint }))).close();
    expect(other.saved).toEqual(whole.saved);
    await expect(train(await small({ store: new MemoryStore(), resume: true }))).rejects.toThrow('holds no run');
  });
});

describe('a lost device', () => {
  it('is replaced in the middle of training, which goes on from the last checkpoint to the same bits', async () => {
    const whole = new MemoryStore();
    await (await train(await small({ store: whole }))).close();
    const store = new MemoryStore();
    const heard: string[] = [];
    const devices: GPUDevice[] = [];
    const requestDevice = async () => {
      const device = await openDevice({ limits: 'default' });
      devices.push(device);
      return device;
    };
    const { device: _, ...rest } = await small({ store, requestDevice });
    const session = await openSession({
      ...rest,
      onStep: ({ step }) => {
        if (step === 3 && devices.length === 1) session.device.destroy();
      },
      onLost: ({ name, reason }, step) => void heard.push(`${name} ${reason} ${step}`),
      onNote: (text) => void heard.push(text),
    });
    await session.train();
    expect(heard).toEqual(['DeviceLostError destroyed 4', 'resumed at step 2']);
    expect(devices).toHaveLength(2);
    expect(session.step).toBe(6);
    expect(store.saved).toEqual(whole.saved);
    expect(store.lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    session.device.destroy(); // when nothing is trained: whoever asks next gets a new one
    expect((await session.sample({ count: 2 })).samples).toHaveLength(2 * 256);
    expect(devices).toHaveLength(3);
    await session.close();
    for (const device of devices) device.destroy();
  });

  it('without another one ends the training with a typed error, and so do devices that are lost at once', async () => {
    const store = new MemoryStore();
    const device = await openDevice({ limits: 'default' });
    const { device: _, ...rest } = await small({ store });
    const lost = train({ ...rest, device, onStep: ({ step }) => void (step === 3 && device.destroy()) });
    await expect(lost).rejects.toMatchObject({ name: 'DeviceLostError', reason: 'destroyed' });
    expect([...store.saved.keys()]).toEqual([2]);
    let asked = 0;
    const requestDevice = async () => {
      asked++;
      const dead = await openDevice({ limits: 'default' });
      setTimeout(() => dead.destroy()); // once it is watched: Deno does not tell of a loss before that
      return dead;
    };
    await expect(train({ ...rest, store: new MemoryStore(), requestDevice })).rejects.toMatchObject({
      name: 'DeviceLostError',
    });
    expect(asked).toBe(3);
  });
});

it('a training in short submits, with its pipelines counted, comes to the same bits', async () => {
  const [plain, pieces] = [new MemoryStore(), new MemoryStore()];
  await (await train(await small({ store: plain, steps: 3 }))).close();
  const device = await openDevice({ limits: 'default' });
  const compiled: [number, number][] = [];
  const { device: _, ...rest } = await small({ store: pieces, steps: 3 });
  const session = await train({
    ...rest,
    device,
    submitMs: 5,
    onCompile: (done, of) => void compiled.push([done, of]),
  });
  expect(pieces.saved).toEqual(plain.saved);
  expect(compiled.length).toBeGreaterThan(5);
  const [, of] = compiled[0] as [number, number];
  expect(compiled.filter(([, each]) => each === of).at(-1)).toEqual([of, of]);
  await session.close();
  device.destroy();
});

it('the preset phone stays within 700 MB at the limits of WebGPU, and refuses what does not', async () => {
  const request = await small({ preset: 'phone', steps: 1, config: {}, data: shapesDataset({ size: 28, count: 96 }) });
  const session = await train(request);
  await session.sample({ steps: 1 }); // the memory is that of one step
  const { ledger } = session.trainer.workspace;
  console.log(`preset phone: at most ${(ledger.peak / 1e6).toFixed(0)} MB on the device`);
  expect(ledger.peak).toBeLessThan(500e6); // the page itself takes the rest
  await session.close();
  const large = train({ ...request, config: { model: { depth: 40 }, data: { batch_size: 512 } } });
  await expect(large).rejects.toMatchObject({
    name: 'BufferLimitError',
    message: expect.stringMatching(
      /^arena buffer "#\d+ \[[\d,]+\]" needs \d+ bytes, .* the memory limit is 500000000. Fix: a smaller batch/,
    ),
  });
});
