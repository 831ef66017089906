// An ONNX file in place of yours, written by hand: y = x W, with x [rows, 4] and W [4, 4]. https://onnx.ai/onnx/repo-docs/IR.html

const varint = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))]);
/** A field of a protocol buffer: a number, or bytes, text and messages with their length. */
const field = (number, value) => {
  if (typeof value === 'number') return [...varint(number * 8), ...varint(value)];
  const bytes = typeof value === 'string' ? [...new TextEncoder().encode(value)] : value;
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
};
const FLOAT = 1;
const dimension = (size) => field(1, typeof size === 'string' ? field(2, size) : field(1, size));
const value = (name, sizes) => {
  const tensor = [...field(1, FLOAT), ...field(2, sizes.flatMap(dimension))];
  return [...field(1, name), ...field(2, field(1, tensor))];
};

/** The file's bytes. @param weights 16 numbers, row by row. */
export function productModel(weights) {
  const initializer = [
    ...field(1, 4),
    ...field(1, 4),
    ...field(2, FLOAT),
    ...field(8, 'W'),
    ...field(9, [...new Uint8Array(Float32Array.from(weights).buffer)]),
  ];
  const node = [...field(1, 'x'), ...field(1, 'W'), ...field(2, 'y'), ...field(4, 'MatMul')];
  const graph = [
    ...field(1, node),
    ...field(2, 'product'),
    ...field(5, initializer),
    ...field(11, value('x', ['rows', 4])),
    ...field(12, value('y', ['rows', 4])),
  ];
  const opset = [...field(1, ''), ...field(2, 17)];
  return Uint8Array.from([...field(1, 8), ...field(7, graph), ...field(8, opset)]);
}
