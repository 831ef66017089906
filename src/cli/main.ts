import { Command, CommanderError } from 'commander';
import { addConvert } from './convert.ts';
import { addEval } from './eval.ts';
import { addExport } from './export.ts';
import { reportFailure, UsageError } from './failure.ts';
import { addReport } from './report.ts';
import { addSample } from './sample.ts';
import { addTrain } from './train.ts';
import { addTune } from './tune.ts';

/** The command `ucgm`. @param addMore adds commands that are no part of the library. */
export function program(addMore: (ucgm: Command) => void): Command {
  const ucgm = new Command('ucgm')
    .description('Trains and samples unified continuous generative models (UCGM) on WebGPU.')
    .exitOverride()
    .configureOutput({ outputError: () => {} }); // reported once, below
  addTrain(ucgm);
  addTune(ucgm);
  addSample(ucgm);
  addEval(ucgm);
  addExport(ucgm);
  addReport(ucgm);
  addConvert(ucgm);
  addMore(ucgm);
  for (const command of ucgm.commands) command.exitOverride().configureOutput({ outputError: () => {} });
  return ucgm;
}

/** Commander's message, of one or two lines, as ours: what is wrong and what to do. */
function usageError(error: CommanderError): UsageError {
  const [what, hint] = error.message
    .replace(/^error: /, '')
    .replace(/\.$/, '')
    .split('\n');
  return new UsageError(what as string, `${hint ? `${hint.replace(/[()]/g, '')} ` : ''}See ucgm --help`);
}

/** Runs the command line of this process, and sets its exit code. */
export async function runCommand(addMore: (ucgm: Command) => void): Promise<void> {
  try {
    await program(addMore).parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return; // --help, --version
      if (error.code === 'commander.help') return void (process.exitCode = 2);
      reportFailure(usageError(error));
      return;
    }
    reportFailure(error);
  }
}
