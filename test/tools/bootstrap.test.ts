import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript: it runs before TypeScript is installed
import { advice, backportsOf, distribution, packagesInstalled } from '../../tools/bootstrap.mjs';

describe('bootstrap', () => {
  it('knows where apt installs', () => {
    expect(distribution('ID=debian\nVERSION_CODENAME=bookworm\n')).toEqual({ codename: 'bookworm', apt: true });
    expect(distribution('ID=pop\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=jammy')).toEqual({
      codename: 'jammy',
      apt: true,
    });
    expect(distribution('ID=fedora\n').apt).toBe(false);
    expect(distribution('').apt).toBe(false);
  });

  it('derives the backports from a paragraph, with its server and key', () => {
    const source = [
      'Types: deb\nURIs: http://other.example/security\nSuites: bookworm-security\nComponents: main',
      'Types: deb\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n',
    ].join('\n\n');
    expect(backportsOf(['', source], 'bookworm')).toEqual({
      name: 'backports.sources',
      text: 'Types: deb\nURIs: http://mirror.example/debian\nComponents: main\nSigned-By: /k.gpg\nSuites: bookworm-backports\n',
    });
  });

  it('derives the backports from a line', () => {
    const list =
      '# deb http://old.example bookworm main\ndeb [signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n';
    expect(backportsOf([list], 'bookworm')).toEqual({
      name: 'backports.list',
      text: 'deb [signed-by=/k.gpg] http://mirror.example/debian bookworm-backports main contrib\n',
    });
    expect(backportsOf([list], 'trixie')).toBeUndefined();
  });

  it('says what to install', () => {
    expect(advice('linux')).toContain('mesa-vulkan-drivers');
    expect(advice('win32')).toContain('graphics driver');
  });

  it('sees a missing package and one of another version', () => {
    const root = mkdtempSync(join(tmpdir(), 'ucgm-bootstrap-'));
    const lock = (version: string) => ({
      packages: { '': { devDependencies: { a: '^1' } }, 'node_modules/a': { version } },
    });
    try {
      writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock('1.0.0')));
      expect(packagesInstalled(root)).toBe(false);
      mkdirSync(join(root, 'node_modules', 'a'), { recursive: true });
      writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify(lock('1.0.0')));
      expect(packagesInstalled(root)).toBe(true);
      writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock('1.2.0')));
      expect(packagesInstalled(root)).toBe(false);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
