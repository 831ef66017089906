import { IoError } from './errors.ts';
import { globalKey, type PickleHost, parsePickle } from './pickle.ts';
import { quote } from './quote.ts';
import type { RawTensor } from './safetensors.ts';
import { callable, copyBytes, isTensor, RESAVE, torchGlobals } from './torch_host.ts';
import { parseLegacyTorch } from './torch_legacy.ts';
import { TensorBuilder, TorchStorage } from './torch_tensor.ts';

/** Version of the persistent objects that is written since 2021. */
const VERSION = 6;
/** Deepest module that is looked into. */
const MAX_DEPTH = 64;

/** An object of a class whose source lies in the pickle: its name and its attributes. The source is not looked at. */
class PersistentObject {
  readonly className: string;
  readonly state: unknown;

  constructor(className: string, state: unknown) {
    this.className = className;
    this.state = state;
  }
}

/** What has no use here, such as an array of NumPy: it may be given a state. */
const opaque = (): Map<unknown, unknown> => new Map();

const OPAQUE: readonly (readonly [module: string, name: string])[] = [
  ...['numpy.core', 'numpy._core'].flatMap((module) => [
    [`${module}.multiarray`, 'scalar'] as const,
    [`${module}.multiarray`, '_reconstruct'] as const,
    [`${module}.numeric`, '_frombuffer'] as const,
  ]),
  ['numpy', 'dtype'],
];

/** Containers of modules of torch itself, whose state is that of any module. */
const CONTAINERS = ['ModuleDict', 'ModuleList', 'Sequential'];

/**
 * Reads a pickle of networks as NVIDIA's EDM and EDM2 are published (torch_utils/persistence.py): a plain pickle of a dictionary with
 * objects of classes whose source lies beside, running nothing of it.
 * @returns a Map of the networks in it by their keys, `ema` for one, each a Map of tensors by their names in its state_dict.
 * @throws IoError for any other pickle, and for a name that is neither of such objects, a tensor nor a plain container.
 */
export function parseModulePickle(bytes: Uint8Array, where: string): Map<string, Map<string, RawTensor>> {
  const saved = parsePickle(bytes, where, moduleHost(bytes, where));
  const networks = new Map<string, Map<string, RawTensor>>();
  const entries = saved instanceof Map ? [...saved] : [['network', saved]];
  for (const [key, value] of entries) {
    const tensors = new Map<string, RawTensor>();
    if (typeof key === 'string') collect(value, '', tensors, where, 0);
    if (tensors.size > 0) networks.set(key as string, tensors);
  }
  if (networks.size === 0)
    throw new IoError('torch', where, 'the pickle holds no network', 'give a file of torch.save, or of EDM or EDM2');
  return networks;
}

function moduleHost(bytes: Uint8Array, where: string): PickleHost {
  const builder = new TensorBuilder(where, copyBytes(bytes.byteLength));
  const load = ([content]: readonly unknown[]) => {
    const storage = content instanceof Uint8Array ? parseLegacyTorch(content, where) : undefined;
    if (!(storage instanceof TorchStorage))
      throw new IoError('storage', where, 'the pickle loads a storage from what is none', RESAVE);
    return storage;
  };
  const persistent = ([meta]: readonly unknown[]) => {
    const [type, version, name] = ['type', 'version', 'class_name'].map((key) =>
      meta instanceof Map ? meta.get(key) : undefined,
    );
    if (type !== 'class' || version !== VERSION || typeof name !== 'string')
      throw new IoError(
        'pickle',
        where,
        `the pickle makes an object of type ${quote(type)} and version ${quote(version)}`,
        `give one of version ${VERSION}, as EDM and EDM2 are published`,
      );
    return new PersistentObject(name, (meta as Map<unknown, unknown>).get('state'));
  };
  const setState = (target: unknown, state: unknown) => {
    if (!(target instanceof Map && state instanceof Map)) return 0;
    for (const [key, value] of state) target.set(key, value);
    return state.size;
  };
  const set = ([items]: readonly unknown[]) => new Set(Array.isArray(items) ? items : []);
  // Bytes as protocol 2 writes them: a text of their values.
  const encoded = ([text]: readonly unknown[]) =>
    typeof text === 'string' ? Uint8Array.from(text, (c) => c.charCodeAt(0)) : new Uint8Array(0);
  return {
    persistent(id) {
      throw new IoError('storage', where, `the pickle refers to ${quote(id)}, outside itself`, RESAVE);
    },
    globals: new Map([
      ...torchGlobals(where, (...of) => builder.build(...of)),
      callable('torch.storage', '_load_from_bytes', load),
      callable('torch_utils.persistence', '_reconstruct_persistent_obj', persistent),
      callable('dnnlib.util', 'EasyDict', opaque, setState),
      ...CONTAINERS.map((name) => callable('torch.nn.modules.container', name, opaque, setState)),
      callable('builtins', 'set', set),
      callable('__builtin__', 'set', set),
      callable('_codecs', 'encode', encoded),
      ...OPAQUE.map(([module, name]) => callable(module, name, opaque)),
      [globalKey('numpy', 'ndarray'), 'numpy.ndarray'] as [string, unknown],
    ]),
  };
}

/** Adds the parameters and buffers of a module and of those within it. */
function collect(module: unknown, prefix: string, to: Map<string, RawTensor>, where: string, depth: number): void {
  const state = module instanceof PersistentObject ? module.state : module;
  if (!(state instanceof Map)) return;
  if (depth > MAX_DEPTH)
    throw new IoError('limit', where, `its modules are nested deeper than ${MAX_DEPTH}`, 'save the state_dict alone');
  const entries = (key: string) => {
    const found = state.get(key);
    return found instanceof Map ? [...found].filter(([name]) => typeof name === 'string') : [];
  };
  for (const [name, tensor] of [...entries('_parameters'), ...entries('_buffers')])
    if (isTensor(tensor)) to.set(`${prefix}${name}`, tensor);
  for (const [name, inner] of entries('_modules')) collect(inner, `${prefix}${name}.`, to, where, depth + 1);
}
