import { endRanks, joinRanks, leaveRanks, placeRanks, ranks } from '../src/cli/ranks.ts';
import { adapterName } from '../src/device/index.ts';
import { openNodeDevice } from '../src/device/node.ts';
import { restWhileWaiting } from '../src/device/rests.node.ts';
import type { Averager } from '../src/optim/learner_options.ts';
import { barrier, gatherTexts } from '../src/parallel/agree.ts';
import { GradientExchange } from '../src/parallel/gradient_exchange.ts';
import { type Wire, wireBytes } from '../src/parallel/pieces.ts';
import { sharesOf } from '../src/parallel/share.ts';
import { type FlatBuffers, type Tensor, Workspace } from '../src/tensor/index.ts';
import { Trainer } from '../src/ucgm/trainer.ts';
import { modelCase } from './model_cases.ts';
import type { ScalingCase, ScalingRow } from './scaling_case.ts';

/** Steps before those that are timed: kernels compile, and two must be alike before they are given again. */
const WARM_UP = 3;
/** Bytes of a plain message at most. */
const PLAIN = 2 ** 28;

/** An exchange that can be another for the next steps, and whose wait is measured. */
class Measured implements Averager {
  readonly #exchanges: ReadonlyMap<Wire, GradientExchange>;
  wire: Wire;
  waited = 0;

  constructor(workspace: Workspace, wires: readonly Wire[], batch: number) {
    const shares = sharesOf(batch, ranks().size);
    this.#exchanges = new Map(
      wires.map((wire) => [wire, new GradientExchange(workspace, { ranks: ranks(), shares, wire })]),
    );
    this.wire = wires[0] as Wire;
  }

  get #now(): GradientExchange {
    return this.#exchanges.get(this.wire) as GradientExchange;
  }

  begin(gradients: FlatBuffers, loss: Tensor): Promise<readonly Tensor[]> {
    return this.#now.begin(gradients, loss);
  }

  send(count: number): void {
    this.#now.send(count);
  }

  async finish(meanwhile?: () => Promise<void>): Promise<void> {
    const start = performance.now();
    await this.#now.finish(meanwhile);
    this.waited += performance.now() - start;
  }

  idle(): void {
    this.#now.idle();
  }

  any(said: boolean): Promise<boolean> {
    return this.#now.any(said);
  }

  free(): void {
    for (const exchange of this.#exchanges.values()) exchange.free();
  }
}

/** The greatest of the ranks' times. */
async function slowest(ms: number): Promise<number> {
  return Math.max(...(await gatherTexts(ranks(), String(ms))).map(Number));
}

async function measure(device: GPUDevice, kase: ScalingCase, tell: (row: ScalingRow) => void): Promise<void> {
  const { size, rank } = ranks();
  const { config, network, numClasses } = modelCase(kase.model);
  const whole = kase.batch * size;
  const workspace = new Workspace(device);
  const averager = size > 1 ? new Measured(workspace, kase.wires, whole) : undefined;
  const { transport, optimizer, train } = config;
  const trainer = new Trainer(workspace, network, kase.batch, {
    objective: transport,
    optimizer: optimizer as Trainer['options']['optimizer'],
    emaDecay: train.ema_decay,
    maxGradNorm: train.max_grad_norm,
    seed: 1,
    accumulate: kase.accumulate,
    precision: kase.precision,
    shard: { first: rank * kase.batch, of: whole },
    ...(averager && { averager }),
  });
  const [c, h, w] = network.input;
  const batch = {
    x: Float32Array.from({ length: kase.batch * c * h * w }, (_, i) =>
      Math.sin((rank * kase.batch * c * h * w + i) * 1.7),
    ),
    labels: Uint32Array.from({ length: kase.batch }, (_, i) => (rank * kase.batch + i) % numClasses),
  };
  const steps = async (count: number) => {
    for (let i = 0; i < count; i++) await trainer.train(batch);
    return (await trainer.metrics()).map(({ loss }) => loss);
  };
  const elements = trainer.weights.flat.gradients?.chunks.reduce((sum, chunk) => sum + chunk.count, 0) as number;
  let losses: readonly number[] | undefined = await steps(Math.max(kase.losses, WARM_UP));
  for (const wire of averager ? kase.wires : (['none'] as const)) {
    if (averager && wire !== 'none' && averager.wire !== wire) {
      averager.wire = wire;
      await steps(WARM_UP); // its kernels compile, and its buffers are made
    }
    if (averager) averager.waited = 0;
    await barrier(ranks());
    const start = performance.now();
    await steps(kase.steps);
    const stepMs = await slowest((performance.now() - start) / kase.steps);
    const bytes = wire === 'none' ? 0 : wireBytes(wire, elements);
    tell({
      suite: 'scaling',
      ranks: size,
      model: kase.model,
      batch: whole,
      accumulate: kase.accumulate,
      precision: kase.precision,
      wire,
      adapter: adapterName(device),
      date: new Date().toISOString(),
      stepMs,
      imagesPerSecond: (whole * 1000) / stepMs,
      wireBytes: bytes,
      ...(averager && {
        waitMs: averager.waited / kase.steps,
        exchangeMs: await alone(workspace, trainer, averager),
        plainMs: await plain(bytes),
      }),
      ...(kase.losses > 0 && losses && { losses: losses.slice(0, kase.losses) }),
    });
    losses = undefined;
  }
  await trainer.free();
  await workspace.dispose();
}

/** The exchange of the trainer's gradients without a step around it. */
async function alone(workspace: Workspace, trainer: Trainer, averager: Averager): Promise<number> {
  const gradients = trainer.weights.flat.gradients as FlatBuffers;
  const loss = workspace.create('data', 'loss', [1]);
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    await workspace.device.queue.onSubmittedWorkDone();
    await barrier(ranks());
    const start = performance.now();
    await averager.begin(gradients, loss);
    await averager.finish();
    await workspace.device.queue.onSubmittedWorkDone();
    times.push(await slowest(performance.now() - start));
  }
  return Math.min(...times); // the first makes what the loss of its own needs
}

/** Messages of as many bytes between arrays of the host. */
async function plain(bytes: number): Promise<number> {
  const { size, plain: by = ranks() } = ranks();
  const each = Math.ceil(Math.min(bytes, PLAIN) / size / 4) * 4;
  const [from, to] = [new Uint8Array(each * size).fill(1), new Uint8Array(each * size).fill(2)];
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    await barrier(ranks());
    const start = performance.now();
    await by.alltoall(from, to);
    await by.allgather(from.subarray(0, each), to);
    times.push(await slowest(performance.now() - start));
  }
  return (Math.min(...times) * bytes) / (each * size);
}

/** Measures cases as one rank; rank 0 prints a line of JSON for each. */
export async function measureAsRank(cases: readonly ScalingCase[], shareDevice: boolean): Promise<void> {
  restWhileWaiting();
  try {
    await joinRanks();
    const device = await openNodeDevice();
    await placeRanks(device, shareDevice);
    for (const kase of cases)
      await measure(device, kase, (row) => {
        if (ranks().rank === 0) console.log(JSON.stringify(row));
      });
    device.destroy();
    await leaveRanks();
  } catch (error) {
    await endRanks(error);
  }
}
