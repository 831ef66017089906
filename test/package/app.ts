import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** An app of a user's, away from the repository: the package as npm packs it in its node_modules, the examples beside. */
export class App {
  readonly folder = mkdtempSync(join(tmpdir(), 'ucgm-app-'));

  /** Builds and packs the sources, and unpacks them. */
  constructor() {
    const modules = join(this.folder, 'node_modules');
    const installed = join(modules, 'ucgm-webgpu');
    mkdirSync(installed, { recursive: true });
    execFileSync(process.execPath, ['tools/build.mjs'], { cwd: ROOT, stdio: 'pipe' });
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', this.folder];
    execFileSync(npm, pack, { cwd: ROOT, stdio: 'pipe', shell: process.platform === 'win32' });
    const [archive] = readdirSync(this.folder).filter((name) => name.endsWith('.tgz')) as [string];
    execFileSync('tar', ['-xzf', archive, '--strip-components=1', '-C', installed], { cwd: this.folder });
    // What npm would install beside it: its dependency, and the peer.
    mkdirSync(join(modules, '@webgpu'));
    for (const name of ['@webgpu/types', 'webgpu'])
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

  /** Writes examples/scale.ts, which examples/embedded-kernel.ts uses, and returns what the command says. */
  embedScale(): string {
    return this.ucgm('embed', 'examples/scale.wgsl', '--out', 'examples/scale.ts').stdout.trim();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
