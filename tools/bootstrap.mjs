// Makes a fresh clone ready: npm packages, a WebGPU adapter that Dawn accepts, and an MPI; with --browser a Chromium too. Plain Node, no
// packages: it runs before there are any.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findBrowser } from './browser.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NODE_NEEDED = [20, 19];
const ADAPTER = ['mesa-vulkan-drivers', 'libvulkan1'];
const MPI = ['openmpi-bin', 'libopenmpi3'];

/** Prints the adapter's name; exit code 3 where there is none. A process of its own, because a driver may abort. */
const PROBE = `
  import { create } from 'webgpu';
  const gpu = create([]);
  const adapter = await gpu.requestAdapter();
  if (!adapter) process.exit(3);
  const { vendor, architecture, device, description } = adapter.info;
  console.log([description || device, vendor, architecture].filter(Boolean).join(', '));`;

/** Thrown where the machine lacks something this script may not install. */
class Missing extends Error {}

/** What a person has to install, by operating system. */
export function advice(platform) {
  if (platform === 'linux') {
    return "no WebGPU adapter was found. Fix: install your GPU's Vulkan driver, or Mesa 23 or newer for a software adapter (Debian, Ubuntu: mesa-vulkan-drivers and libvulkan1, on Debian 12 from bookworm-backports; Fedora: mesa-vulkan-drivers; Arch: vulkan-swrast)";
  }
  return `no WebGPU adapter was found on ${platform}. Fix: update your graphics driver`;
}

/** ID and codename of an /etc/os-release, and whether apt installs there. */
export function distribution(osRelease) {
  const field = (name) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(osRelease)?.[1] ?? '';
  const family = `${field('ID')} ${field('ID_LIKE')}`.split(' ');
  return { codename: field('VERSION_CODENAME'), apt: family.includes('debian') || family.includes('ubuntu') };
}

/**
 * The machine's own apt source of `codename`, as a source of its backports: the same server and keys, another suite. Reads both
 * forms, `deb URI suite ...` and `Types: deb` paragraphs. Undefined where the machine has no such source.
 */
export function backportsOf(sources, codename) {
  const suite = `${codename}-backports`;
  for (const text of sources) {
    for (const paragraph of text.split(/\n\s*\n/)) {
      const lines = paragraph.split('\n').filter((line) => !line.startsWith('#'));
      const suites = lines.find((line) => /^Suites:/i.test(line));
      if (suites?.split(/\s+/).includes(codename)) {
        const kept = lines.filter((line) => line.trim() !== '' && !/^Suites:/i.test(line));
        return { name: 'backports.sources', text: `${kept.join('\n')}\nSuites: ${suite}\n` };
      }
      const line = lines
        .map((l) => /^(deb\s+(?:\[[^\]]*\]\s+)?\S+\s+)(\S+)(\s.*)$/.exec(l))
        .find((m) => m?.[2] === codename);
      if (line) return { name: 'backports.list', text: `${line[1]}${suite}${line[3]}\n` };
    }
  }
  return undefined;
}

/** True when every package of package.json is installed in the version the lock file names. */
export function packagesInstalled(root) {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;
  const have = read(installed);
  const wanted = read(join(root, 'package-lock.json'));
  const direct = Object.keys({ ...wanted[''].dependencies, ...wanted[''].devDependencies }).map(
    (name) => `node_modules/${name}`,
  );
  return direct.every((path) => have[path]?.version === wanted[path]?.version && existsSync(join(root, path)));
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return !error && status === 0;
}

function findAdapter() {
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', PROBE], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** The words before a command that needs root; undefined where neither root nor a silent sudo is to be had. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
    ? ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive']
    : undefined;
}

/** Every apt source of the machine, by file name. */
function aptSources() {
  const folder = '/etc/apt/sources.list.d';
  const paths = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
  ];
  return paths
    .filter((path) => /\.(list|sources)$/.test(path) && existsSync(path))
    .map((path) => readFileSync(path, 'utf8'));
}

function install(apt, options, packages) {
  const [command, ...first] = [...apt, 'apt-get'];
  const quiet = [...first, '-q', '-y', ...options];
  return (
    run(command, [...quiet, 'update']) && run(command, [...quiet, 'install', '--no-install-recommends', ...packages])
  );
}

/** Installs Mesa from backports, through a list of sources of its own: the machine's list stays as it is. */
function installBackports(apt, codename) {
  const source = backportsOf(aptSources(), codename);
  if (!source) return false;
  const folder = mkdtempSync(join(tmpdir(), 'ucgm-apt-'));
  try {
    for (const name of ['parts', 'lists', 'lists/partial']) mkdirSync(join(folder, name));
    for (const name of ['.', 'parts', 'lists', 'lists/partial']) chmodSync(join(folder, name), 0o777); // apt drops to its own user
    aptSources().forEach((text, i) => {
      writeFileSync(join(folder, 'parts', /^Types:/im.test(text) ? `${i}.sources` : `${i}.list`), text);
    });
    writeFileSync(join(folder, 'parts', source.name), source.text);
    const settings = [
      `Dir::Etc::SourceList=${folder}/none`,
      `Dir::Etc::SourceParts=${folder}/parts`,
      `Dir::State::Lists=${folder}/lists`,
    ];
    return install(
      apt,
      settings.flatMap((setting) => ['-o', setting]),
      ['-t', `${codename}-backports`, ...ADAPTER],
    );
  } finally {
    const [command, ...first] = [...apt, 'rm']; // apt made files of its own in it, as root
    run(command, [...first, '-rf', folder]);
  }
}

/** How apt runs here, and for which release; `root` is undefined where it does not. */
function aptHere() {
  const release =
    process.platform === 'linux' && existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const { codename, apt } = distribution(release);
  process.env.DEBIAN_FRONTEND = 'noninteractive';
  return { codename, root: apt ? asRoot() : undefined };
}

/** Installs Mesa's software adapter where that is allowed. Returns its name. @throws Missing with what to install. */
function installAdapter() {
  const { codename, root } = aptHere();
  if (!root) throw new Missing(advice(process.platform));
  console.log("no WebGPU adapter: installing Mesa's software adapter (lavapipe) with apt");
  if (!install(root, [], ADAPTER)) console.log('the release has no such packages; trying its backports');
  const adapter = findAdapter();
  if (adapter) return adapter;
  console.log(`Dawn refuses this release's Mesa: installing the one of ${codename}-backports`);
  if (!installBackports(root, codename)) throw new Missing(advice(process.platform));
  const newer = findAdapter();
  if (!newer) throw new Missing(advice(process.platform));
  return newer;
}

/** The first line of `mpirun --version`, where there is one. */
function findMpi() {
  const { status, stdout } = spawnSync('mpirun', ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0] : undefined;
}

/** Installs Open MPI where that is allowed: only what several GPUs do together needs it. */
function installMpi() {
  const { root } = aptHere();
  if (root) {
    console.log('no MPI: installing Open MPI with apt');
    install(root, [], MPI);
  }
  return findMpi() ?? 'none: tests of several ranks are left out (install Open MPI, or MPICH)';
}

/** Installs Debian's Chromium. Returns its path. @throws Missing with what to install. */
function installBrowser() {
  const { root } = aptHere();
  if (root) {
    console.log('no Chromium: installing it with apt');
    install(root, [], ['chromium']);
  }
  const path = findBrowser();
  if (!path) throw new Missing('no Chromium or Chrome was found. Fix: install one (Debian: chromium)');
  return path;
}

function bootstrap({ browser }) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor < NODE_NEEDED[1])) {
    throw new Missing(`Node ${process.versions.node} is too old. Fix: install Node ${NODE_NEEDED.join('.')} or newer`);
  }
  if (!packagesInstalled(ROOT)) {
    console.log('installing the npm packages');
    // Not `npm ci`: it refuses a lock file without the packages of other platforms, which not every registry carries.
    if (!run('npm', ['install', '--no-save', '--no-audit', '--no-fund'])) {
      throw new Missing('npm install failed. Fix: see its message above');
    }
  }
  console.log(`adapter: ${findAdapter() ?? installAdapter()}`);
  console.log(`mpi: ${findMpi() ?? installMpi()}`);
  if (browser) console.log(`browser: ${findBrowser() ?? installBrowser()}`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    bootstrap({ browser: process.argv.includes('--browser') });
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    console.error(`bootstrap: ${error.message}`);
    process.exitCode = 2;
  }
}
