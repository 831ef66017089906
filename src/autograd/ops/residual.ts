import { sumCols } from '../../kernels/reduce.ts';
import {
  add as addKernel,
  addRows,
  gatedResidualBackwardGate,
  gatedResidual as kernel,
} from '../../kernels/residual.ts';
import { rowsAndCols, storedAs, type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';
import { gateBackward } from './gate.ts';
import type { ModulationChunk } from './linear.ts';

/** a + b, of one shape. */
export function add(tape: Tape, a: Tensor, b: Tensor): Tensor {
  if (a.count !== b.count)
    throw new TensorError(`add: [${a.shape}] and [${b.shape}] differ`, 'give tensors of one count');
  const dtype = storedAs(a);
  const out = tape.allocAs(dtype, ...a.shape);
  tape.run(addKernel.prepare(tape.workspace.device, { dtype }), { a, b, out }, { count: a.count });
  return tape.push({
    op: 'add',
    inputs: [a, b],
    output: out,
    saved: [],
    vjp: (dy, sink) => {
      sink.pass(a, dy);
      sink.pass(b, dy);
    },
  });
}

/** x + gate * h; gate is a chunk of a modulation tensor. x, h [..., cols] -> same shape. */
export function gatedResidual(tape: Tape, x: Tensor, h: Tensor, gate: ModulationChunk): Tensor {
  const { device } = tape.workspace;
  const { rows, cols } = rowsAndCols(x);
  const dims = {
    rows,
    cols,
    mod_rows: gate.rows,
    mod_stride: gate.from.shape.at(-1) as number,
    gate_offset: gate.offset,
  };
  const dtype = storedAs(x);
  const y = tape.allocAs(dtype, ...x.shape);
  tape.run(kernel.prepare(device, { dtype }, dims), { x, h, modulation: gate.from, y }, dims);
  return tape.push({
    op: 'gatedResidual',
    inputs: [x, h, gate.from],
    output: y,
    saved: [],
    vjp: (dy, sink) => {
      sink.pass(x, dy);
      if (!sink.needs(h)) {
        sink.addInto(gate.from, (dmodulation) =>
          tape.run(gatedResidualBackwardGate.prepare(device, { dtype }, dims), { dy, h, dmodulation }, dims),
        );
        return;
      }
      const dh = tape.allocAs(dtype, ...h.shape); // given after the gate's gradient: h and gate may be one tensor
      gateBackward(tape, sink, dy, h, gate.from, dh, dims);
      sink.pass(h, dh);
      tape.release(dh);
    },
  });
}

/** x + row for every row of a sample: x [B, N, cols], row [B, cols], f32 -> [B, N, cols]. */
export function addPerSample(tape: Tape, x: Tensor, row: Tensor): Tensor {
  const { device } = tape.workspace;
  const { rows, cols } = rowsAndCols(x);
  const group_rows = rows / (row.count / cols);
  if (!Number.isInteger(group_rows))
    throw new TensorError(`addPerSample: [${row.shape}] has no row a sample of [${x.shape}]`, 'give one row a sample');
  const dtype = storedAs(x);
  const out = tape.allocAs(dtype, ...x.shape);
  tape.run(addRows.prepare(device, { dtype }), { x, row, out }, { rows, cols, group_rows });
  return tape.push({
    op: 'addPerSample',
    inputs: [x, row],
    output: out,
    saved: [],
    vjp: (dy, sink) => {
      sink.pass(x, dy);
      sink.give(row, (drow) =>
        tape.run(
          sumCols.prepare(device, { dtype }, { cols }),
          { x: dy, out: drow },
          { rows, cols, chunk_rows: group_rows },
        ),
      );
    },
  });
}
