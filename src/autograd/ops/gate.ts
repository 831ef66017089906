import { type GateDims, gatedResidualBackwardGate, gatedResidualBackwardH } from '../../kernels/residual.ts';
import { storedAs, type Tensor } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';

/** `dh = gate dy`, and, where it is wanted, the gate's gradient by the kernel that reads dy. */
export function gateBackward(
  tape: Tape,
  sink: GradSink,
  dy: Tensor,
  h: Tensor,
  modulation: Tensor,
  dh: Tensor,
  dims: GateDims,
): void {
  const { device } = tape.workspace;
  const dtype = storedAs(dy);
  if (!sink.needs(modulation)) {
    tape.run(gatedResidualBackwardH.prepare(device, { dtype }, dims), { dy, modulation, dh }, dims);
    return;
  }
  sink.addInto(modulation, (dmodulation) =>
    tape.run(
      gatedResidualBackwardGate.prepare(device, { dh: true, dtype }, dims),
      { dy, h, dmodulation, modulation, dh },
      dims,
    ),
  );
}
