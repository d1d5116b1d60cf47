// The first part of a script from which Node makes a startup snapshot; the program follows it.
//
// Packages are evaluated while the snapshot is made, where `process.env` tells which variables they
// read. The program's own files run when it is restored, with the arguments and the environment of
// that moment. A program with snapshot hooks of its own is evaluated as a whole, as it expects.
"use strict";

const __roost = ((plan) => {
  const { startupSnapshot } = require("node:v8");
  const path = require("node:path");
  const fs = require("node:fs");
  const { fileURLToPath, pathToFileURL } = require("node:url");
  const builtIn = require;
  const own = { env: process.env };
  const reads = new Set();
  const main = { module: undefined };
  let isWhole = false;
  let isLoading = true;
  let userRequire;

  /** What a user's `require` does; there is one only once the program is restored. */
  function late(wish) {
    userRequire ??= builtIn("node:module").createRequire(plan.entry);
    return userRequire(wish);
  }
  const lateRequire = (wish) => (isLoading ? builtIn(wish) : late(wish));
  lateRequire.resolve = (...wish) => (late("node:fs"), userRequire.resolve(...wish));
  Object.defineProperty(lateRequire, "cache", { get: () => (late("node:fs"), userRequire.cache) });
  Object.defineProperty(lateRequire, "main", { get: () => main.module });

  function adopt(module) {
    const directory = path.dirname(plan.entry);
    Object.assign(module, { id: ".", path: directory, filename: plan.entry, loaded: false });
    Object.assign(module, { children: [], paths: [] });
    main.module = module;
    if (isLoading) return;
    module.paths = builtIn("node:module")._nodeModulePaths(directory);
    process.mainModule = module;
  }

  function meta(url) {
    const filename = fileURLToPath(url);
    const resolve = (wish) => {
      const found = builtIn("node:module").createRequire(url).resolve(wish);
      return path.isAbsolute(found) ? pathToFileURL(found).href : found;
    };
    return { __proto__: null, dirname: path.dirname(filename), filename, resolve, url };
  }

  const target = () => (isLoading ? own.env : process.env);
  const seen = (name) => {
    if (isLoading && typeof name === "string") reads.add(name);
  };
  const watched = new Proxy({}, {
    get: (_, name) => (seen(name), target()[name]),
    has: (_, name) => (seen(name), name in target()),
    set: (_, name, value) => Reflect.set(target(), name, value),
    deleteProperty: (_, name) => Reflect.deleteProperty(target(), name),
    ownKeys: () => ((isWhole ||= isLoading), Reflect.ownKeys(target())),
    getOwnPropertyDescriptor: (_, name) => (
      seen(name), Reflect.getOwnPropertyDescriptor(target(), name)
    ),
  });

  async function settle(work) {
    const unsettled = () => {
      process.exitCode ??= 13; // the status by which Node tells of a top-level await without end
    };
    if (plan.isModule) process.on("exit", unsettled);
    try {
      await work();
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    } finally {
      process.off("exit", unsettled);
    }
  }

  /** Make the process look as one that was started plainly. */
  function wake() {
    isLoading = false;
    own.env = undefined;
    process.argv[1] = plan.script;
    const at = process.execArgv.indexOf("--snapshot-blob");
    if (at >= 0) process.execArgv.splice(at, 2);
    process.mainModule = main.module;
  }

  const around = { adopt, builtIn, main, meta, require: lateRequire, body: undefined };
  around.load = (program) => {
    process.env = watched;
    startupSnapshot.addDeserializeCallback(wake);
    if (!plan.hasHooks) {
      startupSnapshot.setDeserializeMainFunction(() => void settle(around.body));
    }
    program(around, lateRequire).then(
      () => {
        process.env = own.env;
        const told = JSON.stringify({ reads: [...reads].sort(), isWhole });
        fs.writeFileSync(plan.report, told, { mode: 0o600 });
      },
      (error) => {
        fs.writeSync(2, `${error?.stack ?? error}\n`);
        process.exit(1);
      },
    );
  };
  return around;
})(__plan);
