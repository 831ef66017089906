import { toFloat32 } from './dtypes.ts';
import { IoError } from './errors.ts';
import { quote } from './quote.ts';
import { MAX_HEADER_BYTES, type RawTensor } from './safetensors.ts';
import { isTensor } from './torch_checkpoint.ts';
import { matchMoments } from './torch_moments.ts';

/** Deepest container that is looked into. */
const MAX_DEPTH = 64;

/** Wrappers that torch puts before the names of a state_dict: DataParallel's and compile's. */
const WRAPPERS = /^(?:module\.|_orig_mod\.)+/;
/** Those that torch puts inside the names, where blocks are compiled, sharded or checkpointed one by one. */
const INNER_WRAPPERS = /(^|\.)(?:(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+/g;
/** A parameter of each network here: what stands before it in a file is the prefix of its weights. */
const ANCHOR = /^(|.*\.)(?:x_embedder\.proj|enc\.\d+x\d+_conv)\.weight$/;
/** Words of a prefix that tell an average, or a teacher, from weights in training. */
const AVERAGE = /(^|[._])(ema|average|averaged|shadow|swa)/i;
const TEACHER = /(^|[._])(teacher|target|unigen)/i;

type Dict = ReadonlyMap<unknown, unknown>;

/** A checkpoint's tensors as GROUP/NAME, and what is known beside them. */
export interface CheckpointTensors {
  readonly tensors: Map<string, RawTensor>;
  /** Steps of the optimiser; undefined where the file does not say. */
  readonly optimizerStep: number | undefined;
  /** The configuration that was saved with it. */
  readonly config: Dict | undefined;
  /** What could not be taken over, each a line for the user. */
  readonly notes: readonly string[];
}

/**
 * All tensors of a tree by their path, joined with dots: `0.weight`, `model.blocks.0.attn.qkv.weight`. A container that is met
 * again is passed over, so a tree that contains itself ends.
 * @throws IoError for two tensors of one name, containers nested deeper than 64, or names that no file could hold.
 */
export function plainTensors(tree: unknown, where: string): Map<string, RawTensor> {
  const tensors = new Map<string, RawTensor>();
  const seen = new Set<unknown>();
  let characters = 0;
  const tooLong = () =>
    new IoError(
      'limit',
      where,
      `the tensors' names take more than ${MAX_HEADER_BYTES} characters`,
      'save fewer tensors, or shorter names',
    );
  const visit = (value: unknown, path: string, depth: number): void => {
    if (isTensor(value)) {
      if (tensors.has(path))
        throw new IoError('duplicate', where, `two tensors are named ${quote(path)}`, 'save them with distinct names');
      characters += path.length;
      if (characters > MAX_HEADER_BYTES) throw tooLong();
      tensors.set(path, value);
      return;
    }
    if (!(value instanceof Map || Array.isArray(value)) || seen.has(value)) return;
    if (depth === MAX_DEPTH)
      throw new IoError(
        'limit',
        where,
        `its containers are nested deeper than ${MAX_DEPTH}`,
        'save the state_dict alone',
      );
    seen.add(value);
    const prefix = path === '' ? '' : `${path}.`;
    for (const [key, item] of value.entries()) {
      if (typeof key !== 'string' && typeof key !== 'number') continue;
      if (prefix.length + String(key).length > MAX_HEADER_BYTES) throw tooLong(); // before the text is made
      visit(item, `${prefix}${key}`, depth + 1);
    }
  };
  visit(tree, '', 0);
  return tensors;
}

/** The tensors of a state_dict without the wrappers' prefixes. */
function stateDict(tree: unknown, where: string): Map<string, RawTensor> {
  return renamed(plainTensors(tree, where), where, (path) => path.replace(WRAPPERS, ''));
}

/** Tensors under new names; left out where there is none. */
function renamed(
  tensors: ReadonlyMap<string, RawTensor>,
  where: string,
  rename: (path: string) => string | undefined,
): Map<string, RawTensor> {
  const out = new Map<string, RawTensor>();
  for (const [path, tensor] of tensors) {
    const name = rename(path);
    if (name === undefined) continue;
    if (out.has(name))
      throw new IoError('duplicate', where, `two tensors are named ${quote(name)}`, 'save them with distinct names');
    out.set(name, tensor);
  }
  return out;
}

/** The weights in training and the average among tensors, each under whatever prefix; what stands beside them is noted. */
function weightSets(
  tree: unknown,
  where: string,
  notes: string[],
): { model: Map<string, RawTensor> | undefined; ema: Map<string, RawTensor> | undefined } {
  const tensors = renamed(plainTensors(tree, where), where, (path) => path.replace(INNER_WRAPPERS, '$1'));
  const prefixes = [...tensors.keys()].flatMap((name) => ANCHOR.exec(name)?.[1] ?? []);
  if (prefixes.length === 0) return { model: stateDict(tree, where), ema: undefined };
  const found = (group: 'model' | 'ema'): string | undefined => {
    const isTeacher = (prefix: string) => TEACHER.test(prefix) && !AVERAGE.test(prefix);
    const all = prefixes.filter((prefix) => !isTeacher(prefix) && AVERAGE.test(prefix) === (group === 'ema'));
    if (all.length <= 1) return all[0];
    throw new IoError(
      'ambiguous',
      where,
      `it holds several weights: under ${all.map((prefix) => quote(prefix)).join(' and ')}`,
      'save the state_dict of one of them alone',
    );
  };
  const [model, ema] = [found('model'), found('ema')];
  const others = prefixes.filter((prefix) => prefix !== '');
  const under = (prefix: string) =>
    renamed(tensors, where, (path) => {
      if (!path.startsWith(prefix)) return undefined;
      return prefix === '' && others.some((other) => path.startsWith(other)) ? undefined : path.slice(prefix.length);
    });
  const sets = {
    model: model === undefined ? undefined : under(model),
    ema: ema === undefined ? undefined : under(ema),
  };
  const left = tensors.size - (sets.model?.size ?? 0) - (sets.ema?.size ?? 0);
  const shown = [model, ema].filter((prefix) => prefix !== undefined).map((prefix) => quote(prefix));
  if (left > 0) notes.push(`${left} tensors beside the weights under ${shown.join(' and ')} are left out`);
  return sets;
}

const isDict = (value: unknown): value is Dict => value instanceof Map;

function dictOf(root: Dict, ...keys: string[]): Dict | undefined {
  return keys.map((key) => root.get(key)).find(isDict);
}

/**
 * A checkpoint of torch as the groups of ours: `model/NAME`, `ema/NAME`, the optimiser's `m/NAME` and `v/NAME`, `teacher/NAME`.
 * Understood are the reference's ({model, ema, opt, unigen, config}), {state_dict}, {model} or {ema} alone, and a bare
 * state_dict; names under any prefix (`module.`, `net.`, `ema_model.module.`). Where there is only one of model and ema, the other is
 * its copy.
 * @param where the file's name, for errors.
 * @throws IoError where there are no weights, or several that nothing tells apart.
 */
export function torchTensors(tree: unknown, where: string): CheckpointTensors {
  if (!isDict(tree))
    throw new IoError(
      'torch',
      where,
      'it holds no dictionary of tensors',
      'save a state_dict: torch.save(model.state_dict(), FILE)',
    );
  const notes: string[] = [];
  const [modelDict, emaDict] = [dictOf(tree, 'model', 'state_dict'), dictOf(tree, 'ema', 'model_ema')];
  const bare = modelDict || emaDict ? undefined : tree;
  const weights = modelDict ?? bare;
  const sets = weights && weightSets(weights, where, notes);
  const average = emaDict && weightSets(emaDict, where, notes);
  const ema = average ? (average.ema ?? average.model) : sets?.ema;
  const model = sets?.model ?? ema;
  if (!model || model.size === 0)
    throw new IoError(
      'torch',
      where,
      `it holds no weights under ${quote([...tree.keys()])}`,
      'save a state_dict, or a dictionary with one under model, ema or state_dict',
    );

  const tensors = new Map<string, RawTensor>();
  const add = (group: string, of: ReadonlyMap<string, RawTensor>) => {
    for (const [name, tensor] of of) tensors.set(`${group}/${name}`, tensor);
  };
  add('model', model);
  add('ema', ema ?? model);
  const optimizer = bare ? undefined : dictOf(tree, 'opt', 'optimizer');
  const moments = optimizer && matchMoments(optimizer, model, notes);
  if (moments) {
    add('m', moments.m);
    add('v', moments.v);
  }
  const unigen = bare ? undefined : dictOf(tree, 'unigen');
  if (unigen) add('teacher', teacherOf(stateDict(unigen, where)));
  const config = bare ? undefined : dictOf(tree, 'config', 'args');
  return { tensors, optimizerStep: optimizer && stepOf(optimizer), config, notes };
}

/** The reference's trainer keeps its teacher as `mod`. */
function teacherOf(unigen: ReadonlyMap<string, RawTensor>): Map<string, RawTensor> {
  const teacher = new Map<string, RawTensor>();
  for (const [name, tensor] of unigen) {
    if (name.startsWith('mod.')) teacher.set(name.slice('mod.'.length).replace(WRAPPERS, ''), tensor);
  }
  return teacher;
}

/** The greatest step of any parameter. */
function stepOf(optimizer: Dict): number | undefined {
  const state = optimizer.get('state');
  if (!isDict(state)) return undefined;
  let step: number | undefined;
  for (const entry of state.values()) {
    const value = isDict(entry) ? entry.get('step') : undefined;
    const number = isTensor(value) && value.shape.length === 0 ? toFloat32(value)[0] : value;
    if (Number.isSafeInteger(number) && (number as number) >= 0) step = Math.max(step ?? 0, number as number);
  }
  return step;
}
