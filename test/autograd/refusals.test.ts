import { expect, it } from 'vitest';
import { squaredError } from '../../src/autograd/ops/loss.ts';
import { matmul } from '../../src/autograd/ops/matmul.ts';
import { crossEntropy } from '../../src/autograd/ops/softmax.ts';
import { Tape } from '../../src/autograd/tape.ts';
import { type Tensor, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

type Op = (tape: Tape, alloc: (...shape: number[]) => Tensor) => Tensor;

it.each<[string, string, Op]>([
  ['rows that do not meet', 'no product of [2,3] and [4,5]', (t, of) => matmul(t, of(2, 3), of(4, 5))],
  ['batches that do not fit', 'no product of [2,3,4] and [3,4,5]', (t, of) => matmul(t, of(2, 3, 4), of(3, 4, 5))],
  ['a vector', 'no product of [3] and [3,2]', (t, of) => matmul(t, of(3), of(3, 2))],
  [
    'a batch with axes apart',
    '[2,1,2,3,4] in a batch of [2,3,2] has axes apart',
    (t, of) => matmul(t, of(2, 1, 2, 3, 4), of(1, 3, 1, 4, 5)),
  ],
  [
    'labels that are not one a row',
    'logits [4,5] and labels [3]',
    (t, of) => crossEntropy(t, of(4, 5), { labels: of(3) }),
  ],
  [
    'targets of another shape',
    'logits [4,5] and targets [4,4]',
    (t, of) => crossEntropy(t, of(4, 5), { targets: of(4, 4) }),
  ],
  ['a target of another shape', 'prediction [4,5] and target [5,4]', (t, of) => squaredError(t, of(4, 5), of(5, 4))],
])('the tape refuses %s', async (_, said, op) => {
  const workspace = new Workspace(await testDevice());
  const tape = new Tape(workspace, { record: false });
  expect(() => op(tape, (...shape) => tape.alloc(...shape))).toThrow(said);
  await workspace.dispose();
});
