import { hostname } from 'node:os';
import { helpCompiling, openNodeDevice } from '../device/node.ts';
import { capsOf, rememberTuning } from '../kernel/index.ts';
import { hasMatrices } from '../kernels/matmul_matrix.ts';
import { firstAlone } from '../parallel/agree.ts';
import { launchOf } from '../parallel/launcher.node.ts';
import { distrustedBecause, rememberSelfTest, type SelfTest, selfTest } from '../run/self_test.ts';
import { AdapterCache } from './adapter_cache.ts';
import { rankName, ranks } from './ranks.ts';

export interface OpeningOptions {
  /** Take what `ucgm bench --tune` has kept; true if left out. */
  readonly tuned?: boolean | undefined;
  /** Many kernels will be compiled at once, as a training's are: other devices help. False if left out. */
  readonly manyKernels?: boolean;
  readonly say?: (line: string) => void;
  readonly warn?: (line: string) => void;
}

/** The flag of commands that open a device so. */
export const NO_TUNED = ['--no-tuned', 'leave out what ucgm bench --tune has kept for this adapter'] as const;

/**
 * Opens a device with what is known of its adapter: the numbers that were measured on it, if they were, and whether its experimental
 * variants are right, which is tried once an adapter and driver. Says so, a line each. Ranks that have one file of an adapter open it one
 * before the others, which then know what it found; it alone speaks.
 */
export async function openTunedDevice(options: OpeningOptions = {}): Promise<GPUDevice> {
  const device = await openNodeDevice();
  // Before the self-test, whose layouts others share.
  if (options.manyKernels) await helpCompiling(device, launchOf(process.env)?.here);
  const cache = new AdapterCache(device);
  return firstAlone(ranks(), `${hostname()} ${cache.path}`, (first) =>
    withKept(device, cache, { ...options, ...(!first && SILENT) }),
  );
}

const SILENT = { say: () => {}, warn: () => {} };

/** A device with what its file keeps of it. @param test the self-test. */
export async function withKept(
  device: GPUDevice,
  cache: AdapterCache,
  { tuned = true, say = console.log, warn = (line) => console.warn(`warning: ${rankName()}${line}`) }: OpeningOptions,
  test: (device: GPUDevice) => Promise<SelfTest> = selfTest,
): Promise<GPUDevice> {
  const kept = cache.read();
  if (tuned && kept.tuned) {
    rememberTuning(device, kept.tuned.numbers);
    say(`tuned for this adapter on ${kept.tuned.date.slice(0, 10)}: ${cache.path} (--no-tuned leaves it out)`);
  }
  if (!hasMatrices(capsOf(device))) return device;
  let wrong = kept.selfTest?.wrong;
  if (wrong) rememberSelfTest(device, { ran: [], wrong });
  else {
    ({ wrong } = await test(device));
    try {
      cache.keep({ selfTest: { date: new Date().toISOString(), wrong } });
    } catch (error) {
      warn(`the self-test is not kept: ${(error as Error).message}`);
    }
  }
  if (wrong.length > 0) warn(`${distrustedBecause(wrong)} (${cache.path})`);
  return device;
}
