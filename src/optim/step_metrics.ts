/** What one step measured. */
export interface StepMetrics {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  /** Gradients that were NaN or infinite: 0 in every step that was taken. */
  readonly nonFinite: number;
  /** In mixed precision: what the loss of the next step is multiplied by. */
  readonly lossScale?: number;
  /** In mixed precision: steps so far that were skipped, since gradients overflowed f16; they changed nothing but the scale. */
  readonly skipped?: number;
}
