import { Command, CommanderError } from 'commander';
import { restWhileWaiting } from '../device/rests.node.ts';
import { packageVersion } from './bundled.ts';
import { addConvert } from './convert.ts';
import { addDecode } from './decode.ts';
import { addDigits } from './digits.ts';
import { addEmbed } from './embed.ts';
import { addEncode } from './encode.ts';
import { addEval } from './eval.ts';
import { addExport } from './export.ts';
import { UsageError } from './failure.ts';
import { outliveReaders } from './pipes.ts';
import { endRanks, joinRanks, leaveRanks, ranks } from './ranks.ts';
import { addReport } from './report.ts';
import { addSample } from './sample.ts';
import { addSearchSampler } from './search_sampler.ts';
import { addTrain } from './train.ts';
import { addTune } from './tune.ts';

/** The command `ucgm`. @param addMore adds commands that are no part of the library. */
export function program(addMore: (ucgm: Command) => void): Command {
  const ucgm = new Command('ucgm')
    .description('Trains and samples unified continuous generative models (UCGM) on WebGPU.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ outputError: () => {} }); // reported once, below
  addTrain(ucgm);
  addTune(ucgm);
  addSample(ucgm);
  addEval(ucgm);
  addSearchSampler(ucgm);
  addExport(ucgm);
  addReport(ucgm);
  addEncode(ucgm);
  addDecode(ucgm);
  addConvert(ucgm);
  addDigits(ucgm);
  addEmbed(ucgm);
  addMore(ucgm);
  for (const command of ucgm.commands)
    command
      .exitOverride()
      .configureOutput({ outputError: () => {} })
      .hook('preAction', refuseEmpty)
      .hook('preAction', refuseRanks);
  return ucgm;
}

/** An empty text is what an unset shell variable leaves; as a path it would mean the folder one is in. */
function refuseEmpty(command: Command): void {
  for (const { attributeName, long } of command.options.map((o) => ({
    attributeName: o.attributeName(),
    long: o.long,
  })))
    if (command.opts()[attributeName] === '')
      throw new UsageError(`${long} is empty`, 'give it a value, or leave it out');
  if (command.args.includes('')) throw new UsageError('an argument is empty', 'give it a value');
}

/** Commander's message, of one or two lines, as ours: what is wrong and what to do. @param command the one that was called, if any was. */
function usageError({ code, message }: CommanderError, command: Command | undefined): UsageError {
  const [text, hint] = message.replace(/^error: /, '').split('\n') as [string, string?];
  if (code === 'commander.invalidArgument') {
    const [, what, fix] = /^(.* is invalid)\. (.*?)\.?$/.exec(text) ?? [];
    if (what && fix) return new UsageError(what, fix);
  }
  const what = text.replace(/\.$/, '');
  const known = code === 'commander.unknownOption' ? optionsOf(command) : '';
  return new UsageError(what, `${hint ? `${hint.replace(/[()]/g, '')} ` : ''}${known}See ucgm --help`);
}

/** The options of a command as a sentence; nothing for none. */
function optionsOf(command: Command | undefined): string {
  const flags = command?.options.map(({ long, short }) => long ?? short) ?? [];
  return flags.length > 0 ? `${command?.name()} takes ${flags.join(', ')}. ` : '';
}

/** Commands that several ranks do together; all others are done by one process. */
const TOGETHER = new Set(['train', 'tune', 'sample', 'eval', 'doctor']);

/** @throws UsageError for a command that several ranks cannot do. */
function refuseRanks(command: Command): void {
  if (ranks().size > 1 && !TOGETHER.has(command.name()))
    throw new UsageError(
      `${ranks().size} processes were started, and ucgm ${command.name()} works in one`,
      'start it without mpirun or srun',
    );
}

/** Runs the command line of this process, and sets its exit code. @param args those of another command line. */
export async function runCommand(
  addMore: (ucgm: Command) => void,
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  outliveReaders(args[0] === 'doctor');
  restWhileWaiting();
  const ucgm = program(addMore);
  const fault = (error: unknown) => void endRanks(error);
  try {
    await joinRanks();
    if (ranks().size > 1) process.on('uncaughtException', fault);
    await ucgm.parseAsync(args, { from: 'user' });
    await leaveRanks();
  } catch (error) {
    if (!(error instanceof CommanderError)) await endRanks(error);
    else if (error.code === 'commander.help') process.exitCode = 2;
    else if (error.exitCode !== 0) {
      const called = ucgm.commands.find((command) => command.name() === args[0]);
      await endRanks(usageError(error, called));
    }
    await leaveRanks(); // after --help and --version: a rank that failed has ended all
  } finally {
    process.off('uncaughtException', fault);
  }
}
