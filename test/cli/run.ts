import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { loadDigits } from '../../src/data/digits.node.ts';
import { bundle, ROOT } from '../bundle.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Without the lines that Dawn itself writes. */
  readonly stderr: string;
}

/** Starts `ucgm` from its sources as a process of its own. */
export function startUcgm(args: readonly string[], env: { [name: string]: string } = {}) {
  const child: ChildProcess = spawn(process.execPath, [bundle('tools/ucgm.ts'), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data) => (stdout += data));
  child.stderr?.on('data', (data) => (stderr += data));
  const ended = new Promise<Ended>((done) => {
    child.on('close', (code, signal) =>
      done({ code, signal, stdout, stderr: stderr.replace(/^(Warning:.*| {4}at .*|)\n/gm, '') }),
    );
  });
  return { child, ended };
}

/** Runs `ucgm` to its end. */
export const ucgm = (args: readonly string[], env?: { [name: string]: string }): Promise<Ended> =>
  startUcgm(args, env).ended;

/** Waits until something is so, however long it takes. @throws Error with what a process has said, where that ends before. */
export async function until(reached: () => boolean, ended: Promise<Ended>): Promise<void> {
  let over: Ended | undefined;
  void ended.then((result) => (over = result));
  while (!reached()) {
    if (over) throw new Error(`it ended before, with exit code ${over.code}: ${over.stdout}${over.stderr}`);
    await sleep(20);
  }
}

/** A folder for this file's tests, removed after them. */
export function temporaryFolder(): (...parts: string[]) => string {
  const folder = mkdtempSync(join(tmpdir(), 'ucgm-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (...parts) => join(folder, ...parts);
}

/** Writes the first `count` digits as a data set of its own, a folder of idx files. */
export async function writeDigits(folder: string, count: number): Promise<void> {
  const digits = await loadDigits();
  const pixels = digits.height * digits.width;
  const images = new Float32Array(count * pixels);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    digits.image(i, images, i * pixels);
    labels[i] = digits.labels[i] as number;
  }
  const header = (...shape: number[]) =>
    Uint8Array.from([0, 0, 8, shape.length, ...shape.flatMap((n) => [n >> 24, n >> 16, n >> 8, n])]);
  const bytes = Uint8Array.from(images, (v) => Math.round((v + 1) * 127.5));
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'train-images-idx3-ubyte'),
    Buffer.concat([header(count, digits.height, digits.width), bytes]),
  );
  writeFileSync(join(folder, 'train-labels-idx1-ubyte'), Buffer.concat([header(count), labels]));
}

/** YAML of a run that takes a second: a network of two blocks, checkpoints every 5 steps. */
export const SMALL = `
model: { name: tiny, hidden_size: 32, depth: 2, num_heads: 2, patch_size: 7 }
data: { name: digits, batch_size: 8 }
transport: { enhanced_ratio: 0.47 }
train: { steps: 20, seed: 3, checkpoint_every: 5, log_every: 1, keep_checkpoints: 9, ema_decay: 0.5 }
`;
