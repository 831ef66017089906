import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, platform, release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adapterName } from '../src/device/index.ts';
import { capsOf } from '../src/kernel/index.ts';
import type { Ceilings } from './ceilings.ts';

/** Where numbers come from: the first line of a results file, with `suite: "environment"`. */
export interface Environment {
  readonly suite: 'environment';
  /** Of the lines of a results file: raised when a field changes its meaning. */
  readonly schema: 1;
  readonly version: string;
  readonly commit: string;
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly adapter: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  /** A CPU that stands in for a GPU: its times say nothing about one. */
  readonly software: boolean;
  readonly os: string;
  readonly cpu: string;
  readonly runtime: string;
  readonly features: readonly string[];
  /** Measured in the same run, by the suites that hold results against them. */
  readonly ceilings?: Ceilings;
}

/** Describes this run. */
export function environment(device: GPUDevice, ceilings?: Ceilings): Environment {
  const { vendor, architecture, description } = device.adapterInfo;
  const { deno, v8 } = process.versions as { deno?: string; v8: string };
  return {
    suite: 'environment',
    schema: 1,
    version: packageVersion(),
    commit: currentCommit(),
    date: new Date().toISOString(),
    adapter: adapterName(device),
    vendor,
    architecture,
    driver: description,
    software: capsOf(device).software,
    os: `${platform()} ${release()} ${arch()}`,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    runtime: deno ? `deno ${deno}, v8 ${v8}` : `node ${process.versions.node}`,
    features: [...device.features].sort(),
    ...(ceilings && { ceilings }),
  };
}

/** The version in the nearest package.json above: this file runs from the sources, or bundled into one file. */
function packageVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (name === 'ucgm-webgpu') return version;
    } catch {
      // no package here
    }
    if (folder === dirname(folder)) return 'unknown';
  }
}

function currentCommit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown'; // installed as a package
  }
}
