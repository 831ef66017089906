import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Without the lines that Dawn itself writes. */
  readonly stderr: string;
}

/** Starts `ucgm` from its sources as a process of its own. */
export function startUcgm(args: readonly string[], env: { [name: string]: string } = {}) {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', 'tools/ucgm.ts', ...args], {
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

/** A folder for this file's tests, removed after them. */
export function temporaryFolder(): (...parts: string[]) => string {
  const folder = mkdtempSync(join(tmpdir(), 'ucgm-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (...parts) => join(folder, ...parts);
}

/** YAML of a run that takes a second: a network of two blocks, checkpoints every 5 steps. */
export const SMALL = `
model: { name: tiny, hidden_size: 32, depth: 2, num_heads: 2, patch_size: 7 }
data: { name: digits, batch_size: 8 }
transport: { enhanced_ratio: 0.47 }
train: { steps: 20, seed: 3, checkpoint_every: 5, log_every: 1, keep_checkpoints: 9, ema_decay: 0.5 }
`;
