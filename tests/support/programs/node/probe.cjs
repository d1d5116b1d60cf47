// Writes what a program can ask about itself into a file of the directory that OUT names.
"use strict";

const fs = require("node:fs");
const path = require("path");
const helper = require("./probe_helper.cjs");

const facts = {
  argv: process.argv,
  argv0: path.basename(process.argv0),
  execArgv: process.execArgv,
  execPath: process.execPath,
  file: __filename,
  directory: __dirname,
  helper: helper.where(),
  isMain: require.main === module,
  mainFile: require.main.filename,
  moduleFile: module.filename,
  modulePaths: module.paths,
  mainModule: process.mainModule === module,
  resolved: require.resolve("./probe_helper.cjs"),
  cwd: process.cwd(),
  env: Object.keys(process.env).filter((name) => name !== "ROOST_GENERATION").sort(),
  credential: process.env.PROBE_CREDENTIAL,
  tty: [0, 1, 2].map((fd) => require("tty").isatty(fd)),
  streams: [process.stdin.constructor.name, process.stdout.constructor.name],
  signals: ["SIGTERM", "SIGINT", "exit"].map((name) => process.listenerCount(name)),
  umask: process.umask(),
  caller: new Error("here").stack.split("\n")[1].includes(__filename),
  versions: process.versions.v8,
  globals: Object.keys(globalThis).sort(),
  isStrict: (function () { return this === undefined; })(),
};

(async () => {
  facts.imported = (await import("node:fs")).default === fs;
  facts.found = (await import("./probe_" + "late.mjs")).where;
  const draft = path.join(process.env.OUT, `${process.pid}.draft`);
  fs.writeFileSync(draft, JSON.stringify(facts));
  fs.renameSync(draft, path.join(process.env.OUT, `${process.pid}.json`));
  setInterval(() => {}, 1000);
})();
