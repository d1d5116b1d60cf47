// Starts a bundled Node program with its code cache: `node start.cjs ARGUMENTS` in a directory that
// holds `plan.json`, `app.js` and, once it was made, `app.cache`.
//
// The program finds itself as in a plain start: the same `process.argv`, the same main module, no
// variable more. A cache that V8 does not take costs time only; the file `rejected` tells of it.
"use strict";

const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const vm = require("node:vm");
const { fileURLToPath, pathToFileURL } = require("node:url");

const UNSETTLED = 13; // the status by which Node tells of a top-level await that never ended

/** What the bundled files use in place of what a loader would have given them. */
function surroundings(plan) {
  const main = { module: undefined };
  process.mainModule = undefined;
  const adopt = (module) => {
    const directory = path.dirname(plan.entry);
    Object.assign(module, { id: ".", path: directory, filename: plan.entry, loaded: false });
    Object.assign(module, { children: [], paths: Module._nodeModulePaths(directory) });
    process.mainModule = main.module = module;
  };
  const meta = (url) => {
    const filename = fileURLToPath(url);
    const resolve = (wish) => {
      const found = Module.createRequire(url).resolve(wish);
      return path.isAbsolute(found) ? pathToFileURL(found).href : found;
    };
    return { __proto__: null, dirname: path.dirname(filename), filename, resolve, url };
  };
  const builtIn = require;
  return { adopt, builtIn, main, meta, require: Module.createRequire(plan.entry) };
}

function compile(plan, place) {
  const cache = path.join(place, "app.cache");
  const source = fs.readFileSync(path.join(place, "app.js"), "latin1");
  let cachedData;
  try {
    cachedData = fs.readFileSync(cache);
  } catch {} // it is made by this very run, or gone: then the program is only slower
  const script = new vm.Script(source, {
    filename: plan.entry,
    cachedData,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (cachedData !== undefined && script.cachedDataRejected) tell(path.join(place, "rejected"));
  return script;
}

function tell(file) {
  try {
    fs.writeFileSync(file, process.version, { mode: 0o600 });
  } catch {} // nobody learns of it then, and the program runs all the same
}

async function settle(work) {
  const unsettled = () => {
    process.exitCode ??= UNSETTLED;
  };
  process.on("exit", unsettled);
  try {
    await work;
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  } finally {
    process.off("exit", unsettled);
  }
}

/** Run the program; returns its compiled script. */
function start() {
  const place = __dirname;
  const plan = JSON.parse(fs.readFileSync(path.join(place, "plan.json"), "utf8"));
  process.argv[1] = plan.script;
  const script = compile(plan, place);
  const program = script.runInThisContext();
  delete require.cache[__filename];
  const around = surroundings(plan);
  return { place, script, run: () => run(program, around, plan) };
}

function run(program, around, plan) {
  const work = program.call(undefined, around, around.require);
  if (plan.isAsync) settle(work);
}

module.exports = { compile, settle, start, surroundings };
if (require.main === module) start().run();
