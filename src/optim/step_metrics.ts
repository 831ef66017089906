/** What one step measured. */
export interface StepMetrics {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  /** Gradients that were NaN or infinite: 0 in every step that was taken. */
  readonly nonFinite: number;
}
