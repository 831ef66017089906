import { existsSync, readFileSync, statSync } from 'node:fs';
import { atomicWrite } from '../io/atomic.node.ts';
import { IoError, systemReason } from '../io/errors.ts';
import type { ComparedRun } from '../report/comparison.ts';
import { reportHtml } from '../report/page.ts';
import { evenly } from '../report/series.ts';
import { parseEvaluation } from '../run/evaluation.ts';
import type { FolderStore } from '../run/folder_store.node.ts';
import type { MetricsRead } from '../run/metrics.ts';
import { readSoundMetrics } from '../run/metrics_log.node.ts';
import { networkOf } from '../run/model.ts';
import { gridColumns } from '../run/samples.ts';
import type { RunConfig } from '../run/settings.ts';
import { STRIP_STEPS } from '../run/strip.ts';
import { expectedOf } from './recipes.ts';

/** Grids of samples in a report, and their bytes: a page that a phone still opens. */
const MAX_GRIDS = 12;
const MAX_GRID_BYTES = 4e6;

export interface ReportRequest {
  readonly run: FolderStore;
  readonly config: RunConfig;
  /** The checkpoint whose strip is shown, where there is one. */
  readonly stripStep?: number;
  /** The adapter that the run was trained on. */
  readonly adapter?: string;
  /** Runs to show beside it. */
  readonly others?: readonly FolderStore[];
}

/** Writes report.html from what is in a run folder; needs no device. Returns its path. @throws IoError. */
export function writeReport({ run, config, stripStep, adapter, others = [] }: ReportRequest): string {
  const strip = stripStep !== undefined && existsSync(run.stripPath(stripStep)) ? stripStep : undefined;
  const { lines: metrics, broken } = metricsOf(run);
  const expected = expectedOf(config);
  const html = reportHtml({
    config,
    configText: run.configText(),
    metrics,
    brokenLines: broken.length,
    samples: shownSamples(run).map((step) => ({ step, png: bytesOf(run.samplePath(step)) })),
    ...(strip !== undefined && { strip: { step: strip, rows: STRIP_STEPS, png: bytesOf(run.stripPath(strip)) } }),
    ...(existsSync(run.evaluationPath) && {
      evaluation: parseEvaluation(new TextDecoder().decode(bytesOf(run.evaluationPath))),
    }),
    ...(adapter !== undefined && { adapter }),
    ...(expected && { expected }),
    parameters: parametersOf(config),
    commands: run.commands(),
    others: others.map(compared),
    columnNames: columnNames(config),
  });
  atomicWrite(run.reportPath, html);
  return run.reportPath;
}

const metricsOf = ({ metricsPath }: FolderStore): MetricsRead =>
  existsSync(metricsPath) ? readSoundMetrics(metricsPath) : { lines: [], broken: [] };

/** Numbers that a run trains. */
function parametersOf({ model }: RunConfig): number {
  return networkOf(model).parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

function compared(run: FolderStore): ComparedRun {
  const config = run.settings();
  return { name: run.path, config, metrics: metricsOf(run).lines, parameters: parametersOf(config) };
}

/** Names of the classes that a grid's columns are of; none where the model knows no classes, or they have no names. */
function columnNames({ model, data }: RunConfig): readonly string[] {
  const numClasses = model.num_classes ?? 0;
  return numClasses < 2 ? [] : (data.class_names ?? []).slice(0, gridColumns({ numClasses }));
}

/** Steps whose grids are shown: evenly spread, the newest among them, fewer where the pictures are large. */
function shownSamples(run: FolderStore): number[] {
  const steps = run.samples();
  for (let count = MAX_GRIDS; count > 1; count--) {
    const chosen = evenly(steps, count);
    const bytes = chosen.reduce((sum, step) => sum + statSync(run.samplePath(step)).size, 0);
    if (bytes <= MAX_GRID_BYTES) return chosen;
  }
  return evenly(steps, 1);
}

function bytesOf(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new IoError('read', path, `it cannot be read (${systemReason(error)})`, 'check the file', error);
  }
}
