import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform, release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../src/cli/bundled.ts';
import { adapterName } from '../src/device/index.ts';
import { capsOf } from '../src/kernel/index.ts';
import type { Ceilings } from './ceilings.ts';

/** Of what the package was built; set by tools/build.mjs, absent in the sources. */
declare const UCGM_COMMIT: string | undefined;

/** Where numbers come from: the first line of a results file, with `suite: "environment"`. */
export interface Environment {
  readonly suite: 'environment';
  /** Of the lines of a results file: raised when a field changes its meaning. */
  readonly schema: 2;
  readonly version: string;
  /** Of the sources, or of what the package was built from; with -dirty where they have changes. */
  readonly commit: string;
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly os: string;
  readonly cpu: string;
  readonly runtime: string;
  /** `none` where a suite needs no device, and then without what follows. */
  readonly adapter: string;
  readonly vendor?: string;
  readonly architecture?: string;
  readonly driver?: string;
  /** A CPU that stands in for a GPU: its times say nothing about one. */
  readonly software?: boolean;
  readonly features?: readonly string[];
  /** Measured in the same run, by the suites that hold results against them. */
  readonly ceilings?: Ceilings;
}

/** Describes this run. */
export function environment(device: GPUDevice | undefined, ceilings?: Ceilings): Environment {
  return {
    suite: 'environment',
    schema: 2,
    version: packageVersion(),
    commit: commitOf(FOLDER),
    date: new Date().toISOString(),
    os: `${platform()} ${release()} ${arch()}`,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    runtime: runtime(),
    ...(device ? described(device) : { adapter: 'none' }),
    ...(ceilings && { ceilings }),
  };
}

function described(device: GPUDevice) {
  const { vendor, architecture, description } = device.adapterInfo;
  return {
    adapter: adapterName(device),
    vendor,
    architecture,
    driver: description,
    software: capsOf(device).software,
    features: [...device.features].sort(),
  };
}

const FOLDER = dirname(fileURLToPath(import.meta.url));

/** What runs JavaScript, and what gives it WebGPU. */
function runtime(): string {
  const { deno, v8 } = process.versions as { deno?: string; v8: string };
  if (deno) return `deno ${deno}, v8 ${v8}`;
  return [`node ${process.versions.node}`, ...webgpuVersion()].join(', ');
}

function webgpuVersion(): string[] {
  try {
    const entry = createRequire(import.meta.url).resolve('webgpu');
    const { version } = JSON.parse(readFileSync(join(dirname(entry), 'package.json'), 'utf8'));
    return [`webgpu ${version}`];
  } catch {
    return []; // it lies elsewhere: the run says so by itself if it is missing
  }
}

/** The commit of the sources in a folder. An installed package lies in its user's repository: there the commit it was built of counts. */
function commitOf(folder: string): string {
  if (typeof UCGM_COMMIT !== 'undefined') return UCGM_COMMIT;
  try {
    const args = ['describe', '--always', '--dirty', '--exclude', '*'];
    return execFileSync('git', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown'; // without git, or its history
  }
}
