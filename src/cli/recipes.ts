import { readFileSync } from 'node:fs';
import { type Expected, follows, parseExpected } from '../run/expected.ts';
import { PRESET_NAMES, presetNamed } from '../run/presets.ts';
import { mergeConfig, type RunConfig } from '../run/settings.ts';
import { installed } from './installed.ts';

/** What the preset that a run follows gave when it was run here; undefined of a run of another kind, or where no curve was kept. */
export function expectedOf(run: RunConfig): Expected | undefined {
  for (const name of PRESET_NAMES) {
    const path = installed('recipes', `${name}.json`);
    if (path === undefined) continue;
    const expected = parseExpected(readFileSync(path, 'utf8'));
    if (follows(run, mergeConfig(name, presetNamed(name)), expected)) return expected;
  }
  return undefined;
}
