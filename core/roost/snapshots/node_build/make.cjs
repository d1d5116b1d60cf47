// Runs a bundled program as `start.cjs` does, and keeps what V8 has compiled of it when it ends.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { start } = require("./start.cjs");

const started = start();
const cache = path.join(started.place, "app.cache");
let isKept = false;

function keep() {
  if (isKept) return;
  isKept = true;
  fs.writeFileSync(`${cache}.draft`, started.script.createCachedData(), { mode: 0o600 });
  fs.renameSync(`${cache}.draft`, cache);
}

process.on("exit", keep);
for (const signal of ["SIGTERM", "SIGINT"]) {
  const ended = () => {
    keep();
    process.off(signal, ended);
    // Whoever else listens decides what comes of it, as in a plain start.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  process.on(signal, ended);
}

started.run();
