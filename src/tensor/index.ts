export { allocatable } from './allocatable.ts';
export { Arena } from './arena.ts';
export { type Command, touches } from './command.ts';
export { bytesOf, type DType } from './dtype.ts';
export { TensorError, WorkspaceError } from './errors.ts';
export { FlatBuffers, FlatLayout, FlatParameters, firstOf, type ParameterSpec } from './flat.ts';
export type { HalfCopy } from './half_copy.ts';
export { type Held, heldShape } from './held.ts';
export { BufferLimitError, deviceOf, Ledger, type Owner } from './ledger.ts';
export { type Numbers, realNumbers, wholeNumbers } from './numbers.ts';
export { MAX_IN_FLIGHT, Pace } from './pace.ts';
export { WeightPack } from './pack.ts';
export {
  checkNetworkPrecision,
  checkPrecision,
  type PassPrecision,
  PRECISIONS,
  PrecisionError,
  precisionOption,
  storedAs,
} from './precision.ts';
export { RANGE_WORDS, Ranges } from './ranges.ts';
export { Section } from './section.ts';
export { sideBySide } from './side_by_side.ts';
export { Stream } from './stream.ts';
export { count, rowsAndCols, Storage, TENSOR_USAGE, Tensor } from './tensor.ts';
export { homeOf, Workspace, type WorkspaceOptions } from './workspace.ts';
