import { encodePicture } from '../../src/io/png.ts';
import { type ReportData, reportHtml } from '../../src/report/page.ts';
import type { Row } from '../../src/report/series.ts';
import { parseEvaluation } from '../../src/run/evaluation.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { mergeConfig, type PartialConfig, stringifyConfig } from '../../src/run/settings.ts';

const PNG = encodePicture({
  width: 320,
  height: 160,
  channels: 1,
  data: new Uint8Array(320 * 160).map((_, i) => i % 251),
});

/** A log whose loss falls to `floor`, with noise. */
export const falling = (steps: number, floor: number): Row[] =>
  Array.from({ length: steps }, (_, i) => ({
    step: i + 1,
    loss: floor + 1.2 / (1 + i / 20) + 0.05 * Math.sin(i * 1.7),
    gradNorm: 1 + 0.5 * Math.sin(i),
    nonFinite: 0,
    imagesPerSecond: 400 + (i % 10),
  }));

export const EVALUATION = {
  features: 'a classifier of digits',
  model: 'tiny',
  images: 1000,
  reference: 'held-out digits',
  rows: [1, 4, 20].map((steps) => ({
    steps,
    order: 1,
    nfe: steps,
    setting: 'plain',
    frechet: 40 / steps,
    kid: 0.01,
    precision: 0.9,
    recall: 0.8,
    accuracy: null,
    nearest: 0.25,
    seconds: 2,
  })),
  adapter: 'an adapter',
  date: '2026-01-02',
};

/** A report with everything that one can have. */
export function fullReport(more: Partial<ReportData> = {}): string {
  const config = mergeConfig('the test', presetNamed('tiny'));
  const slower = mergeConfig('the test', config, { optimizer: { lr: 1e-3 } } as PartialConfig);
  return reportHtml({
    config,
    configText: stringifyConfig(config),
    metrics: falling(600, 0.35),
    samples: [300, 600].map((step) => ({ step, png: PNG })),
    strip: { step: 600, png: PNG, rows: [1, 2, 4, 8, 20] },
    evaluation: parseEvaluation(JSON.stringify(EVALUATION)),
    adapter: 'a fine adapter',
    parameters: 1_234_567,
    commands: [
      { date: '2026-11-26T23:40:12.000Z', version: '0.1.0', command: "ucgm train --preset tiny --out 'my run'" },
      { date: '2026-11-27T08:00:00.000Z', version: '0.1.0', command: "ucgm train --resume --out 'my run'" },
    ],
    others: [{ name: 'runs/slower', config: slower, metrics: falling(400, 0.5), parameters: 1_234_567 }],
    columnNames: ['0', '1', '2'],
    ...more,
  });
}
