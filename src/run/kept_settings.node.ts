import { existsSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { mergeConfig, parseConfig, type RunConfig, stringifyConfig } from './settings.ts';

/** Names of data that are no folders. */
const NAMED = ['digits', 'shapes'];

/** A way from one folder to a path, that no name of data is taken for. */
function way(from: string, to: string): string {
  const steps = relative(from, to).split(sep).join('/') || '.';
  return isAbsolute(steps) || steps.startsWith('.') ? steps : `./${steps}`;
}

const withData = (config: RunConfig, name: string): RunConfig => ({ ...config, data: { ...config.data, name } });

/**
 * The text of a configuration that is kept in a folder. A path of data that was given relative is kept relative to that folder,
 * so that it is found from anywhere, and after both have moved together; an absolute one stays.
 */
export function keptConfig(config: RunConfig, folder: string): string {
  return stringifyConfig(keptIn(folder, config));
}

/** The configuration with its data as it is kept in a folder. */
export function keptIn(folder: string, config: RunConfig): RunConfig {
  const { name } = config.data;
  const fixed = NAMED.includes(name) || isAbsolute(name);
  return fixed ? config : withData(config, way(resolve(folder), resolve(name)));
}

/**
 * The configuration that keptConfig wrote, its data as seen from the working directory.
 * @param where its file, for errors.
 * @throws ConfigError.
 */
export function configKeptIn(folder: string, text: string, where: string): RunConfig {
  return seenFrom(folder, mergeConfig(where, parseConfig(text, where)));
}

/** A configuration that was kept in a folder, with its data as seen from the working directory. */
export function seenFrom(folder: string, config: RunConfig): RunConfig {
  const { name } = config.data;
  if (NAMED.includes(name) || isAbsolute(name)) return config;
  const beside = resolve(folder, name);
  // Of a run that an earlier version wrote: relative to where that was started.
  if (!existsSync(beside) && existsSync(name)) return config;
  return withData(config, way(process.cwd(), beside));
}
