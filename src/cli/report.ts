import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { WeightStore } from '../nn/weights.ts';
import { FolderStore } from '../run/folder_store.node.ts';
import type { RunConfig } from '../run/settings.ts';
import { drawStrip } from '../run/strip.ts';
import { Workspace } from '../tensor/index.ts';
import { picturedLatents } from './autoencoder.ts';
import { youngAverage } from './average_age.ts';
import { latentScaleOf } from './latent_samples.ts';
import { NO_TUNED, openTunedDevice } from './open_device.ts';
import { prepareFiles } from './output.ts';
import { writeSampleGrid } from './sample_grid.ts';
import { weightsOf } from './weights.ts';

interface ReportOptions {
  from: string;
  strip: boolean;
  compare?: string[];
  tuned?: boolean;
}

export function addReport(ucgm: Command): void {
  ucgm
    .command('report')
    .description('Writes report.html into a run folder: curves, samples, evaluation and configuration in one page.')
    .requiredOption('--from <folder>', 'run folder')
    .option('--no-strip', 'leave out the samples at 1 to 20 steps, which need a device')
    .option('--compare <folders...>', 'other run folders to show beside it')
    .option(...NO_TUNED)
    .action(report);
}

async function report({ from, strip, compare = [], tuned }: ReportOptions): Promise<void> {
  const run = FolderStore.open(from);
  const others = compare.map((folder) => FolderStore.open(folder));
  const config = run.settings();
  prepareFiles([{ flag: 'the report', path: run.reportPath, extension: '.html' }]);
  const stripStep = strip ? await newestStrip(run, config, tuned) : undefined;
  const { writeReport } = await import('./report_file.ts'); // a plotting library, for this command alone
  console.log(writeReport({ run, config, others, ...(stripStep !== undefined && { stripStep }) }));
}

/** The step of the newest checkpoint, its strip written if it is not there; undefined without a checkpoint. */
async function newestStrip(
  run: FolderStore,
  config: RunConfig,
  tuned: boolean | undefined,
): Promise<number | undefined> {
  const newest = run.checkpoints().at(-1);
  if (newest === undefined || existsSync(run.stripPath(newest))) return newest;
  const { network, weights: values, step } = weightsOf(run, config, 'ema');
  const young = youngAverage(run, config, step);
  if (young) console.warn(`warning: ${young}`);
  const device = await openTunedDevice({ tuned });
  const workspace = new Workspace(device);
  const weights = new WeightStore(workspace, network).frozen('weights');
  weights.flat.values.write(values);
  const latents = picturedLatents(latentScaleOf(run, config), config.data);
  const strip = await drawStrip(workspace, network, weights, config, latents && { latents });
  writeSampleGrid(run.stripPath(step), strip);
  await workspace.dispose();
  device.destroy();
  return step;
}
