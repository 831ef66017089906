import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';
import { adapterName } from '../device/index.ts';
import { atomicWrite } from '../io/atomic.node.ts';
import type { TunedNumbers } from '../kernel/index.ts';
import { packageVersion } from './bundled.ts';

/** What is kept of an adapter with a driver. */
export interface KeptAdapter {
  /** Of the package that found it: another version's kernels are other ones. */
  readonly version: string;
  readonly adapter: string;
  readonly driver: string;
  /** What `ucgm bench --tune` measured. */
  readonly tuned?: { readonly date: string; readonly numbers: TunedNumbers };
  /** What the self-test of experimental variants found wrong. */
  readonly selfTest?: { readonly date: string; readonly wrong: readonly string[] };
}

/** The folder for what can be found out again: XDG's, or the platform's own. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, os: string = platform()): string {
  const name = 'ucgm-webgpu';
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, name);
  if (os === 'darwin') return join(homedir(), 'Library', 'Caches', name);
  if (os === 'win32') return join(env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), name, 'Cache');
  return join(homedir(), '.cache', name);
}

/** The file of a device's adapter and driver. */
export class AdapterCache {
  readonly path: string;
  readonly #about: Pick<KeptAdapter, 'version' | 'adapter' | 'driver'>;

  constructor(device: GPUDevice, folder: string = cacheFolder()) {
    const { vendor, architecture, device: model, description: driver } = device.adapterInfo;
    const adapter = adapterName(device);
    const words = [vendor, architecture, model, adapter, driver].join('\n');
    const slug = adapter
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .slice(0, 40);
    this.path = join(folder, `${slug}-${createHash('sha256').update(words).digest('hex').slice(0, 8)}.json`);
    this.#about = { version: packageVersion(), adapter, driver };
  }

  /** What is kept; nothing where there is no file, or one of another version or that cannot be read. */
  read(): Pick<KeptAdapter, 'tuned' | 'selfTest'> {
    try {
      const kept = JSON.parse(readFileSync(this.path, 'utf8')) as KeptAdapter;
      return kept.version === this.#about.version ? kept : {};
    } catch {
      return {};
    }
  }

  /** Keeps something more. @throws where the folder cannot be written. */
  keep(part: Pick<KeptAdapter, 'tuned' | 'selfTest'>): void {
    const { tuned, selfTest } = this.read();
    const kept: KeptAdapter = {
      ...this.#about,
      ...(tuned && { tuned }),
      ...(selfTest && { selfTest }),
      ...part,
    };
    mkdirSync(join(this.path, '..'), { recursive: true });
    atomicWrite(this.path, `${JSON.stringify(kept, undefined, 2)}\n`);
  }
}
