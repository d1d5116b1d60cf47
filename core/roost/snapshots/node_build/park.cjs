// Loads the packages of a bundled program and waits, then becomes the one process that is started:
// `node park.cjs SPEC_FD PADDING` in a directory that holds `plan.json` and `app.js`.
//
// The daemon has its streams from the beginning. All else that belongs to a start it reads when it
// is told to become one, out of memory that is empty before: environment, arguments, directory.
// While it waits it does nothing at all, so nothing of the packages goes on. What is spoken says
// `roost.snapshots.node_parked`.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { compile, settle, surroundings } = require("./start.cjs");

const QUIET_MS = 2000; // what packages begin and end themselves takes milliseconds
const LOOK_MS = 5;
const NOT_STARTED = 70;
const LONGEST_REASON = 500; // characters
const ALL_NAMES = "the names of all variables";
const MARK = "\0ROOST_MARK=";
const STREAMS = [0, 1, 2];
const LARGEST = 65536; // bytes of a message

// Packages may put others in their place.
const { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } = fs;
const immediately = setImmediate;

const end = (status) => process.reallyExit(status); // without what packages want done at an end

function readMemory(descriptor) {
  const content = Buffer.alloc(fstatSync(descriptor).size);
  readSync(descriptor, content, 0, content.length, 0);
  closeSync(descriptor);
  const read = JSON.parse(content.toString());
  content.fill(0);
  return read;
}

const tell = (descriptor, message) => writeSync(descriptor, JSON.stringify(message));

/** Wait for a message; nothing else happens meanwhile. */
function receive(descriptor) {
  const content = Buffer.alloc(LARGEST);
  let size = 0;
  try {
    size = readSync(descriptor, content, 0, LARGEST);
  } catch {} // the daemon is gone
  return size > 0 ? JSON.parse(content.toString("utf8", 0, size)) : undefined;
}

/** Let packages see the environment, and note what they look at and what they change. */
function watchEnvironment(names) {
  const env = process.env;
  const known = new Set([...names, ...Object.keys(env)]);
  const read = new Set();
  const asked = new Set();
  const changes = [];
  let looksThrough = false;
  let isLoading = true;
  const note = (set, name) => isLoading && typeof name === "string" && set.add(name);
  const change = (name, value) => {
    if (!isLoading || typeof name !== "string") return;
    changes.push([name, value]);
    known[value === undefined ? "delete" : "add"](name);
  };
  process.env = new Proxy({}, {
    get: (_, name) => (note(read, name), env[name]),
    has: (_, name) => (note(read, name), isLoading ? known.has(name) : name in env),
    set: (_, name, value) => (change(name, String(value)), Reflect.set(env, name, value)),
    deleteProperty: (_, name) => (change(name, undefined), Reflect.deleteProperty(env, name)),
    defineProperty: (_, name, how) => (
      change(name, String(how.value)), Reflect.defineProperty(env, name, how)
    ),
    ownKeys: () => {
      looksThrough ||= isLoading;
      return isLoading ? [...known] : Reflect.ownKeys(env);
    },
    getOwnPropertyDescriptor: (_, name) => {
      note(asked, name);
      const found = Reflect.getOwnPropertyDescriptor(env, name);
      if (found !== undefined || !isLoading || !known.has(name)) return found;
      return { value: undefined, writable: true, enumerable: true, configurable: true };
    },
  });
  return {
    /** Let the program see the environment itself; what packages have changed stays so. */
    renew: (variables) => {
      isLoading = false;
      process.env = env;
      for (const name of Object.keys(env)) delete env[name];
      for (const [name, value] of Object.entries(variables)) env[name] = value;
      for (const [name, value] of changes) {
        if (value === undefined) delete env[name];
        else env[name] = value;
      }
    },
    // Whoever lists the names asks about each of them, which says no more than the list.
    told: () => [...new Set([...read, ...(looksThrough ? [ALL_NAMES] : asked)])].sort(),
  };
}

/** Keep warnings for the log of the start; return what says them. */
function holdWarnings() {
  const before = process.listeners("warning");
  const held = [];
  const hold = (warning) => held.push(warning);
  process.removeAllListeners("warning").on("warning", hold);
  return () => {
    const added = process.off("warning", hold).listeners("warning");
    process.removeAllListeners("warning");
    for (const each of [...before, ...added]) process.on("warning", each);
    for (const warning of held) process.emit("warning", warning);
  };
}

const signals = () => process.eventNames().filter((name) => /^SIG/.test(String(name)));

/** What keeps the loop turning; its own streams count only once they are read from. */
function goingOn() {
  const active = process.getActiveResourcesInfo().filter((what) => what !== "Immediate");
  if (active.length === 0) return active;
  const isSilent = process.noDeprecation;
  process.noDeprecation = true;
  const streams = process._getActiveHandles().filter((each) => STREAMS.includes(each.fd));
  process.noDeprecation = isSilent;
  for (const each of streams) {
    const at = active.indexOf(`${each._handle?.constructor.name}Wrap`);
    if (at >= 0) active.splice(at, 1);
  }
  return active;
}

/** Run what packages have begun until nothing goes on; return what does not end. */
async function settled() {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const givesUp = Date.now() + QUIET_MS;
  for (;;) {
    await new Promise((done) => immediately(done));
    const active = goingOn();
    if (active.length === 0 || Date.now() >= givesUp) return [...new Set(active)];
    Atomics.wait(pause, 0, 0, LOOK_MS);
  }
}

// What the system shows ---------------------------------------------------------------------------

/** Where the system looks for this process's arguments and for its environment. */
function areas() {
  const stat = readFileSync("/proc/self/stat", "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [argsStart, argsEnd, envStart, envEnd] = fields.slice(45, 49).map(Number);
  return { args: [argsStart, argsEnd], env: [envStart, envEnd] };
}

/** Show the command line and the mark of the start in place of those that it waited with. */
function show(command, mark) {
  const { args, env } = areas();
  const memory = openSync("/proc/self/mem", "r+");
  try {
    const line = Buffer.alloc(args[1] - args[0]);
    // The last byte has to stay null, or the system takes what follows for a part of it.
    Buffer.from(command.map((word) => `${word}\0`).join("")).copy(line, 0, 0, line.length - 1);
    writeSync(memory, line, 0, line.length, args[0]);
    const shown = Buffer.alloc(1 + env[1] - env[0]); // the first variable has nothing before it
    readSync(memory, shown, 1, shown.length - 1, env[0]);
    const at = shown.indexOf(MARK) + MARK.length;
    const room = Buffer.alloc(shown.indexOf(0, at) - at);
    if (at < MARK.length) throw new Error("no mark");
    if (Buffer.from(mark).copy(room) < Buffer.byteLength(mark)) throw new Error("no room");
    writeSync(memory, room, 0, room.length, env[0] + at - 1);
  } finally {
    closeSync(memory);
  }
}

// A start -----------------------------------------------------------------------------------------

/** Return once the daemon wants this process to become a start's; end with the daemon. */
function wait(control) {
  for (;;) {
    const message = receive(control);
    if (message === undefined) end(0);
    if (message.op === "start") return message;
    if (message.op === "measure") tell(control, { ev: "measured", pss_kb: shareOfMemory() });
  }
}

function shareOfMemory() {
  try {
    const found = /^Pss:\s+(\d+)/m.exec(readFileSync("/proc/self/smaps_rollup", "latin1"));
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}

/** Take over everything that a process is given at its start. */
function takeShape(order, spec, plan, umask, environment) {
  const given = readMemory(spec.secret);
  if (!order.handed) closeSync(spec.token);
  process.umask(umask);
  process.chdir(order.cwd);
  environment.renew(given.env);
  process.argv.splice(1, Infinity, plan.script, ...given.argv);
  show(given.command, given.env.ROOST_MARK);
}

async function main() {
  const spec = readMemory(Number(process.argv[2]));
  const plan = JSON.parse(readFileSync(path.join(__dirname, "plan.json"), "utf8"));
  const umask = process.umask();
  const began = performance.now();
  process.argv.splice(1, Infinity, plan.script);
  const around = surroundings(plan);
  for (const file of Object.keys(require.cache)) delete require.cache[file];
  const environment = watchEnvironment(spec.names);
  const sayWarnings = holdWarnings();
  try {
    await compile(plan, __dirname).runInThisContext().call(undefined, around, around.require);
  } catch (error) {
    const reason = `a package failed: ${error}`.slice(0, LONGEST_REASON);
    tell(spec.control, { ev: "broken", reason });
    end(NOT_STARTED);
  }
  const active = await settled();
  const problems = [
    ...active.map((what) => ({ guard: "active", module: null, what })),
    ...signals().map((what) => ({ guard: "signal", module: null, what })),
  ];
  tell(spec.control, {
    ev: "ready",
    ...{ loaded: plan.loaded, failed: [], poisoned: [], problems, reprs: null, has_hooks: false },
    ...{ import_ms: Math.round(performance.now() - began), reads: environment.told() },
  });
  const order = wait(spec.control);
  closeSync(spec.control);
  try {
    takeShape(order, spec, plan, umask, environment);
  } catch (error) {
    const reason = `it cannot take the shape of its start (${error.code ?? error.name})`;
    tell(spec.gate, { ev: "failed", reason });
    end(NOT_STARTED);
  }
  if (receive(spec.gate) === undefined) end(NOT_STARTED);
  tell(spec.gate, { ev: "restored" });
  closeSync(spec.gate);
  // In a turn of its own, as a plain start: what a script throws is no rejection of this function,
  // and its ticks come before its promises.
  immediately(() => {
    sayWarnings();
    const work = around.body();
    if (plan.isAsync) settle(work);
  });
}

main();
