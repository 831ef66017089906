import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import type { Attributes, GradientCase, HostTensor, OnnxCase } from './case.ts';
import { runGradient, runOnnx } from './run.ts';
import { table } from './table.ts';

const f32 = (shape: number[], data: number[]): HostTensor => ({
  type: 'float32',
  shape,
  data: Float32Array.from(data),
});

function onnx(op: string, output: HostTensor, attributes: Attributes = {}): OnnxCase {
  return { name: `${op} of two`, op, attributes, inputs: [f32([2], [-1, 2])], outputs: [output] };
}

const numbers = (data: number[], decimals = 0) => ({ shape: [data.length], data, decimals });
const square = (gradient: number[], decimals = 0): GradientCase => ({
  source: 'square',
  op: 'mul',
  inputs: { a: numbers([1, 3]) },
  steps: [['mul', ['a', 'a'], 'b', {}]],
  loss: { of: 'b', cotangent: 'ones' },
  gradients: { a: numbers(gradient, decimals) },
});

describe('numbers from outside: what is said about a case', () => {
  let workspace: Workspace;
  beforeAll(async () => {
    workspace = new Workspace(await testDevice());
  });
  afterAll(() => workspace.dispose());

  const judge = (kase: OnnxCase) => runOnnx(workspace, kase).then(({ status, why }) => `${status} ${why}`.trim());

  it('passes what is right, and says where, and by how much, something is off', async () => {
    expect(await judge(onnx('Relu', f32([2], [0, 2])))).toBe('passed');
    expect(await judge(onnx('Relu', f32([2], [0, 2.00012345])))).toMatch(/^wrong output 0\[1\] is 2, not 2.00012/);
    expect(await judge(onnx('Relu', f32([2], [0, Number.NaN])))).toMatch(/^wrong output 0\[1\]/);
    expect(await judge(onnx('Relu', f32([1, 2], [0, 2])))).toBe('wrong output 0 has the shape [2], not [1,2]');
  });

  it('does not offer an operator, an attribute or a type that it does not know', async () => {
    expect(await judge(onnx('Unheard', f32([2], [0, 2])))).toBe('not offered Unheard');
    expect(await judge(onnx('constructor', f32([2], [0, 2])))).toBe('not offered constructor');
    expect(await judge(onnx('Relu', f32([2], [0, 2]), { slope: 3 }))).toBe('not offered attribute slope');
    expect(await judge(onnx('Softmax', f32([2], [0, 2]), { axis: 'x' }))).toBe('not offered attribute axis = "x"');
    const half = { ...onnx('Relu', f32([2], [0, 2])), inputs: [{ ...f32([2], [-1, 2]), type: 'float16' }] };
    expect(await judge(half)).toBe('not offered input 0 of type float16');
  });

  it('does not offer what a kernel refuses, with its reason', async () => {
    const empty = {
      name: 'of no terms',
      op: 'MatMul',
      attributes: {},
      inputs: [f32([2, 0], []), f32([0, 1], [])],
      outputs: [f32([2, 1], [0, 0])],
    };
    expect(await judge(empty)).toMatch(/^not offered matmul.*: k is 0/);
  });

  it('compares gradients as closely as they were recorded', async () => {
    expect(await runGradient(workspace, square([2, 6]))).toMatchObject({ status: 'passed' });
    expect(await runGradient(workspace, square([2, 6.004]))).toMatchObject({ status: 'wrong' });
    expect(await runGradient(workspace, square([2, 6.004], 2))).toMatchObject({ status: 'passed' });
    const unknown: GradientCase = { ...square([2, 6]), steps: [['cube', ['a'], 'b', {}]] };
    expect(await runGradient(workspace, unknown)).toMatchObject({ status: 'not offered', why: 'cube' });
  });

  it('counts in its table', async () => {
    const outcomes = [
      await runOnnx(workspace, onnx('Relu', f32([2], [0, 2]))),
      await runOnnx(workspace, onnx('Unheard', f32([2], [0, 2]))),
    ];
    expect(
      table(outcomes)
        .split('\n')
        .map((line) => line.trim().replace(/ +/g, ' ')),
    ).toEqual([
      'operator passed by a trick in part not offered wrong',
      'onnx Relu 1',
      'onnx Unheard 0 1',
      'all 1 1',
      '',
      'not offered, and what it needs:',
      'onnx Unheard: Unheard (1)',
    ]);
  });
});
