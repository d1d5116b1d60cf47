// As `probe.cjs`, written as a module with a top-level await.
import fs, { writeFileSync } from "node:fs";
import * as path from "path";
import { createRequire } from "node:module";
import { where } from "./probe_late.mjs";

const require = createRequire(import.meta.url);
const asked = await Promise.resolve(import.meta.url);
const facts = {
  argv: process.argv,
  execArgv: process.execArgv,
  url: asked,
  meta: [import.meta.filename, import.meta.dirname],
  resolved: import.meta.resolve("./probe_late.mjs"),
  helper: require("./probe_helper.cjs").where(),
  where,
  filename: typeof __filename,
  main: require.main === undefined,
  mainModule: process.mainModule === undefined,
  sameFs: fs.writeFileSync === writeFileSync,
  cwd: process.cwd(),
  env: Object.keys(process.env).filter((name) => name !== "ROOST_GENERATION").sort(),
  credential: process.env.PROBE_CREDENTIAL,
  signals: ["SIGTERM", "SIGINT"].map((name) => process.listenerCount(name)),
};
const draft = path.join(process.env.OUT, `${process.pid}.draft`);
writeFileSync(draft, JSON.stringify(facts));
fs.renameSync(draft, path.join(process.env.OUT, `${process.pid}.json`));
setInterval(() => {}, 1000);
