/** npm run bench: the bench by itself, from the sources. What it takes: npm run bench -- --help */
import { Command, CommanderError } from 'commander';
import { reportFailure } from '../src/cli/failure.ts';
import { benchCommand } from './command.ts';

try {
  await benchCommand(new Command('bench').exitOverride()).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else reportFailure(error);
}
