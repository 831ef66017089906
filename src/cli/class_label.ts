import { closest } from '../run/closest.ts';
import type { RunConfig } from '../run/settings.ts';
import { UsageError } from './failure.ts';

/** Names that an error lists. */
const LISTED = 20;

/**
 * The label that `--label` means: a class by its name in the run, else by its number.
 * @throws UsageError for a class that the model does not have.
 */
export function classLabel(text: string, config: RunConfig, numClasses: number): number {
  if (numClasses < 2) throw new UsageError(`--label ${text}: the model knows no classes`, 'leave it out');
  const names = config.data.class_names ?? [];
  const named = names.indexOf(text);
  if (named >= 0) return named;
  const number = Number(text);
  if (/^\d+$/.test(text) && number < numClasses) return number;
  const numbers = `a number from 0 to ${numClasses - 1}`;
  if (names.length === 0) throw new UsageError(`--label ${text} is no class of the model`, `give ${numbers}`);
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  throw new UsageError(
    `--label ${text} is no class of the model`,
    `did you mean ${closest(text, names)}? There are ${names.slice(0, LISTED).join(', ')}${more}; or give ${numbers}`,
  );
}
