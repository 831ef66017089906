import type { FolderStore } from '../run/folder_store.node.ts';
import type { RunConfig } from '../run/settings.ts';
import { drawStrip, type StripControl } from '../run/strip.ts';
import type { Trainer } from '../ucgm/trainer.ts';
import { writeSampleGrid } from './sample_grid.ts';

/** The report at the end of a training. The run is saved by then, so what goes wrong here is one line and no failure. */
export async function reportTraining(
  trainer: Trainer,
  run: FolderStore,
  config: RunConfig,
  adapter: string,
  control: StripControl,
): Promise<void> {
  const { workspace, network, average, step } = trainer;
  try {
    // Who was asked to end before has no time for samples, and is told so already.
    if (!control.signal?.aborted)
      writeSampleGrid(run.stripPath(step), await drawStrip(workspace, network, average, config, control));
  } catch (error) {
    warn('the samples of report.html were not made', error);
  }
  try {
    const { writeReport } = await import('./report_file.ts'); // a plotting library, of no use until now
    console.log(`report ${writeReport({ run, config, stripStep: step, adapter })}`);
  } catch (error) {
    warn('report.html was not written', error);
  }
}

function warn(what: string, error: unknown): void {
  const why = (error instanceof Error ? error.message : String(error)).split('\n')[0];
  console.warn(`${what}: ${why}`);
}
