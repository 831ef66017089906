import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, platform, release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../src/cli/bundled.ts';
import type { Place } from './environment.ts';

/** Of what the package was built; set by tools/build.mjs, absent in the sources. */
declare const UCGM_COMMIT: string | undefined;

/** This process. */
export function thisPlace(): Place {
  return {
    version: packageVersion(),
    commit: commitOf(FOLDER),
    os: `${platform()} ${release()} ${arch()}`,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    runtime: runtime(),
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
