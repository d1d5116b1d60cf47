// Makes one script of a Node program and everything that it loads: `node bundle.cjs JOB`.
//
// The job names the bundler, the script and where the result goes. Files keep what they can ask
// about themselves (`__filename`, `import.meta`), built-in modules stay Node's own, and what cannot
// be found now is looked for when the program runs.
"use strict";

const fs = require("node:fs");
const { isBuiltin } = require("node:module");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const esbuild = require(job.bundler);
const entry = fs.realpathSync(job.script);

const BUILT_IN = "built-in";

// Built-in modules that end the builder of snapshots in Node 20 to 24, or that it does not have.
const NOT_CAPTURED = new Set(
  "http https http2 tls repl inspector worker_threads wasi cluster child_process dgram dns"
    .split(" ")
    .concat(["diagnostics_channel", "inspector/promises", "dns/promises", "sqlite", "test"]),
);
const types = new Map();

/** Whether a package.json above a file makes its scripts modules. */
function isInModulePackage(directory) {
  if (!types.has(directory)) {
    let type;
    try {
      type = JSON.parse(fs.readFileSync(path.join(directory, "package.json"), "utf8")).type;
      type ??= "commonjs";
    } catch {
      const above = path.dirname(directory);
      type = above === directory ? "commonjs" : isInModulePackage(above) ? "module" : "commonjs";
    }
    types.set(directory, type);
  }
  return types.get(directory) === "module";
}

function isModule(file) {
  const extension = path.extname(file);
  if (extension === ".mjs") return true;
  if (extension === ".cjs") return false;
  return isInModulePackage(path.dirname(file));
}

/** What a file is told about itself, as code in front of its own. */
function preamble(file, text) {
  const parts = [];
  if (isModule(file)) {
    if (text.includes("import.meta")) {
      const url = JSON.stringify(pathToFileURL(file).href);
      parts.push(`const __roost_meta = __roost.meta(${url});`);
    }
    return parts.join("");
  }
  if (text.includes("__dirname")) {
    parts.push(`var __roost_dirname = ${JSON.stringify(path.dirname(file))};`);
  }
  if (text.includes("__filename")) parts.push(`var __roost_filename = ${JSON.stringify(file)};`);
  if (file === entry) parts.push("__roost.adopt(module);");
  if (parts.length === 0) return "";
  const isStrict = /^(?:\s|\/\/[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*(['"])use strict\1/.test(text);
  return (isStrict ? '"use strict";' : "") + parts.join("");
}

const files = {
  name: "files",
  setup(build) {
    build.onResolve({ filter: /.*/ }, (wish) => {
      if (!isBuiltin(wish.path)) return;
      if (wish.kind === "require-call" || wish.kind === "require-resolve") {
        return { path: wish.path, external: true };
      }
      return { path: wish.path, namespace: BUILT_IN };
    });
    build.onLoad({ filter: /.*/, namespace: BUILT_IN }, ({ path: name }) => ({
      contents: `module.exports = __roost.builtIn(${JSON.stringify(name)});`,
      loader: "js",
    }));
    build.onLoad({ filter: /\.node$/ }, ({ path: file }) => ({
      contents: `module.exports = __roost.require(${JSON.stringify(file)});`,
      loader: "js",
    }));
    build.onLoad({ filter: /(\.[cm]?js|\/[^./]+)$/ }, ({ path: file }) => {
      const text = fs.readFileSync(file, "utf8").replace(/^#!.*/, "");
      return { contents: preamble(file, text) + text, loader: "js" };
    });
  },
};

const options = {
  bundle: true,
  write: false,
  metafile: true,
  platform: "node",
  format: "esm",
  target: `node${process.versions.node.split(".")[0]}`,
  conditions: ["node-addons"],
  mainFields: ["main"],
  resolveExtensions: [".js", ".json", ".node"],
  tsconfigRaw: "{}",
  keepNames: true,
  legalComments: "none",
  charset: "ascii", // the text of the program is then read without being decoded
  logLevel: "silent",
  absWorkingDir: path.dirname(entry),
  define: {
    "import.meta": "__roost_meta",
    "require.main": "__roost.main.module",
    __dirname: "__roost_dirname",
    __filename: "__roost_filename",
  },
  plugins: [files],
};

/** Packages that ask V8 for the callers of a function, which the builder of snapshots cannot tell. */
const ASKS_FOR_CALLERS = /(^|\/)node_modules\/(depd|callsites|caller-callsite|bindings)\//;

/** Files that go through the whole environment would do so before there is any. */
const COPIES_ENVIRONMENT =
  /\b(keys|entries|values|assign|getOwnPropertyNames)\s*\([^()]*\bprocess\.env\s*[,)]|\.\.\.\s*process\.env\b/;


/** As above, without a look at the names alone, which a process that waits can answer. */
const COPIES_VALUES = new RegExp(COPIES_ENVIRONMENT.source.replace("keys|", ""));

const holds = (file, what) => fs.existsSync(file) && what.test(fs.readFileSync(file, "utf8"));

/** What a heap cannot hold is loaded at each start; a process that waits can hold anything. */
const RULES = {
  heap: {
    isLate: (file) => ASKS_FOR_CALLERS.test(file) || holds(file, COPIES_ENVIRONMENT),
    isLateBuiltIn: (name) => NOT_CAPTURED.has(name),
  },
  process: { isLate: (file) => holds(file, COPIES_VALUES), isLateBuiltIn: () => false },
};

const absolute = (name) => path.resolve(options.absWorkingDir, name);

async function bundle(contents, more) {
  const stdin = { contents, resolveDir: path.dirname(entry) };
  return await esbuild.build({ ...options, ...more, stdin });
}

function filesOf(made) {
  return Object.keys(made.metafile.inputs)
    .filter((name) => !name.startsWith(`${BUILT_IN}:`) && name !== "<stdin>")
    .map(absolute);
}

/** Whether a file belongs to the program itself and not to a package that it uses. */
function isOwn(file) {
  let home = path.dirname(entry);
  while (!fs.existsSync(path.join(home, "package.json")) && home !== path.dirname(home)) {
    home = path.dirname(home);
  }
  const place = path.relative(home, file);
  if (home !== path.dirname(home)) {
    return !place.startsWith("..") && !place.includes(`node_modules${path.sep}`);
  }
  return !file.includes(`${path.sep}node_modules${path.sep}`);
}

/** Files of packages that can be evaluated ahead of a start, in its order. */
function earlyFiles(made, rules) {
  const inputs = made.metafile.inputs;
  const kept = new Map();
  const reaches = (name, seen) => {
    if (kept.has(name)) return kept.get(name);
    if (seen.has(name)) return false;
    seen.add(name);
    const found = rules.isLate(absolute(name)) || (inputs[name]?.imports ?? []).some(
      (each) =>
        each.kind !== "dynamic-import" &&
        (rules.isLateBuiltIn(each.path.replace(/^(built-in:)?(node:)?/, "")) ||
          (!each.external && reaches(each.path, seen))),
    );
    if (found) kept.set(name, true);
    return found;
  };
  const early = [];
  const visited = new Set();
  const visit = (name) => {
    if (visited.has(name) || name.startsWith(`${BUILT_IN}:`)) return;
    visited.add(name);
    const isEarly = name !== "<stdin>" && !isOwn(absolute(name)) && !reaches(name, new Set());
    if (isEarly) {
      early.push(absolute(name));
      return;
    }
    // What the program itself imports when it runs is loaded in most starts, as a command line
    // that chooses its way; what a package does, in few.
    const isOfProgram = name === "<stdin>" || isOwn(absolute(name));
    for (const each of inputs[name]?.imports ?? []) {
      if (!each.external && (isOfProgram || each.kind !== "dynamic-import")) visit(each.path);
    }
  };
  visit("<stdin>");
  return early;
}

/** Write the script of a startup snapshot; one that has hooks of its own decides for itself. */
async function makeHeap() {
  const plain = `import ${JSON.stringify(entry)};`;
  const whole = await bundle(plain);
  const sources = filesOf(whole);
  const own = sources.filter(isOwn);
  const hasHooks = own.some((file) => fs.readFileSync(file, "utf8").includes("startupSnapshot"));
  const early = hasHooks ? [] : earlyFiles(whole, RULES.heap);
  const lines = early.map((file) => `import ${JSON.stringify(file)};`);
  const late = `__roost.body = () => import(${JSON.stringify(entry)});`;
  const contents = hasHooks ? plain : [...lines, late].join("\n");
  // A program that is restored from a snapshot has no loader of modules behind `import()`.
  const made = await bundle(contents, { supported: { "dynamic-import": false } });
  const report = path.join(job.out, "report.json");
  const plan = JSON.stringify({ script: job.script, entry, isModule: isModule(entry), hasHooks, report });
  const head = fs.readFileSync(path.join(__dirname, "heap.js"), "latin1");
  const text = `const __plan = ${plan};\n${head}\n__roost.load(async (__roost, require) => {
${made.outputFiles[0].text}\n});\n`;
  fs.writeFileSync(path.join(job.out, "heap-app.js"), text);
  return { sources, early: early.length, hasHooks };
}

async function makeCache() {
  const made = await bundle(`import ${JSON.stringify(entry)};`);
  const body = made.outputFiles[0].text;
  const isAsync = isModule(entry);
  // In brackets, as V8 then compiles the whole function at once instead of looking at it twice.
  const head = `(${isAsync ? "async " : ""}function (__roost, require) {`;
  fs.writeFileSync(path.join(job.out, "app.js"), `${head}${body}\n})`);
  return { sources: filesOf(made), isAsync, entry };
}

/** Write the script of a process that loads packages, waits, and runs the program later. */
async function makeParked() {
  const whole = await bundle(`import ${JSON.stringify(entry)};`);
  const early = earlyFiles(whole, RULES.process);
  const isAsync = isModule(entry);
  const lines = early.map((file) => `import ${JSON.stringify(file)};`);
  const body = `${isAsync ? "import" : "require"}(${JSON.stringify(entry)})`;
  const made = await bundle([...lines, `__roost.body = () => ${body};`].join("\n"));
  const text = `(async function (__roost, require) {${made.outputFiles[0].text}\n})`;
  fs.writeFileSync(path.join(job.out, "app.js"), text);
  return { sources: filesOf(whole), isAsync, entry };
}

const MAKERS = { v8cache: makeCache, v8snap: makeHeap, standby: makeParked };

async function main() {
  const facts = await MAKERS[job.kind]();
  fs.writeFileSync(path.join(job.out, "bundle.json"), JSON.stringify(facts));
}

main().catch((error) => {
  const first = error.errors?.[0];
  const where = first?.location ? `${first.location.file}:${first.location.line}: ` : "";
  process.stderr.write(`${where}${first?.text ?? error.message}\n`);
  process.exitCode = 1;
});
