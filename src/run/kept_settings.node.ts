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

/** The configuration with another path in place of each that its data section holds. */
function withPaths(config: RunConfig, change: (path: string) => string): RunConfig {
  const { name, autoencoder_weights: weights } = config.data;
  return {
    ...config,
    data: {
      ...config.data,
      name: NAMED.includes(name) || isAbsolute(name) ? name : change(name),
      ...(weights !== undefined && { autoencoder_weights: isAbsolute(weights) ? weights : change(weights) }),
    },
  };
}

/**
 * The text of a configuration that is kept in a folder. A path of data that was given relative is kept relative to that folder,
 * so that it is found from anywhere, and after both have moved together; an absolute one stays.
 */
export function keptConfig(config: RunConfig, folder: string): string {
  return stringifyConfig(keptIn(folder, config));
}

/** The configuration with its data as it is kept in a folder. */
export function keptIn(folder: string, config: RunConfig): RunConfig {
  return withPaths(config, (path) => keptPath(folder, path));
}

/** A path as it is kept in a folder: one that was given relative leads there from that folder. */
export const keptPath = (folder: string, path: string): string =>
  isAbsolute(path) ? path : way(resolve(folder), resolve(path));

/** A path that was kept in a folder, as seen from the working directory. */
export const seenPath = (folder: string, path: string): string =>
  isAbsolute(path) ? path : way(process.cwd(), resolve(folder, path));

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
  return withPaths(config, (path) => {
    // Of a run that an earlier version wrote: relative to where that was started.
    if (!existsSync(resolve(folder, path)) && existsSync(path)) return path;
    return seenPath(folder, path);
  });
}
