export { Arena } from './arena.ts';
export { TensorError, WorkspaceError } from './errors.ts';
export { FlatBuffers, FlatLayout, FlatParameters, type ParameterSpec } from './flat.ts';
export { BufferLimitError, deviceOf, Ledger, type Owner } from './ledger.ts';
export { type Numbers, realNumbers, wholeNumbers } from './numbers.ts';
export { MAX_IN_FLIGHT, Pace } from './pace.ts';
export { Stream } from './stream.ts';
export { count, rowsAndCols, Storage, TENSOR_USAGE, Tensor } from './tensor.ts';
export { Workspace } from './workspace.ts';
