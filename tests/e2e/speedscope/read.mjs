// What speedscope's own importer makes of a file: node read.mjs PACKAGE_FOLDER FILE prints a list of profiles,
// {"name", "unit", "total", "frames": [name, ...]}. The package is a browser's bundle that exports nothing: the functions that import
// files are taken out of it, and what needs a browser may fail.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';

const anything = new Proxy(function () {}, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => '' : key === 'then' ? undefined : anything),
  set: () => true,
  apply: () => anything,
  construct: () => anything,
});
Object.assign(globalThis, {window: globalThis, document: anything, location: {hash: '', protocol: 'file:'}});
console.log = console.error;

const [folder, file] = process.argv.slice(2);
const release = path.join(folder, 'dist', 'release');
const bundle = fs.readFileSync(path.join(release, fs.readdirSync(release).find(name => /^speedscope-.*\.js$/.test(name))), 'utf8');
const [whole, name] = bundle.match(/([\w$]+)=Promise\.resolve\(\)\.then\(\(\)=>\([\w$]+\(\),[\w$]+\)\);/);
try {
  vm.runInThisContext(bundle.replace(whole, `${whole}globalThis.importers=${name};`));
} catch {
  // The user interface, for want of a browser.
}
const {importProfilesFromArrayBuffer} = await globalThis.importers;
const data = fs.readFileSync(file);
const group = await importProfilesFromArrayBuffer(
  path.basename(file), data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
const profiles = (group?.profiles ?? []).map(profile => {
  const frames = new Set();
  profile.forEachFrame(frame => frames.add(frame.name));
  return {name: profile.getName(), unit: profile.getWeightUnit(), total: profile.getTotalNonIdleWeight(), frames: [...frames]};
});
process.stdout.write(JSON.stringify(profiles) + '\n');
