// Evaluated before the user's code; gives one function that the child process calls with a number.
// The user's code may replace anything that it can reach: so what is needed later is kept here, and
// nothing below calls a method by its name or builds on a prototype once that code has run.
(() => {
  "use strict";
  const { parse, stringify } = JSON;
  const { apply, ownKeys, getOwnPropertyDescriptor } = Reflect;
  const { isArray } = Array;
  const { defineProperty } = Object;
  const slice = String.prototype.slice;
  const AsyncFunction = (async () => {}).constructor;
  const global = globalThis;

  const START = 0, STATE = 1, ANSWER = 2;
  const PENDING = 0, RETURNED = 1, THROWN = 2;
  const LONGEST_TEXT = 2_000;

  let state = PENDING, settled, before, mostLines, mostLetters;
  let lines = "", count = 0, letters = 0, cut = false;

  const shorten = (text, most) => apply(slice, text, [0, most]);

  const textOf = (value) => {
    if (typeof value === "string") return value;
    if (typeof value === "object" && value !== null) {
      try {
        const written = value instanceof Error ? `${value}` : stringify(value);
        if (typeof written === "string") return written;
      } catch {
        return "[object]";
      }
    }
    try {
      return typeof value === "symbol" ? "[symbol]" : `${value}`;
    } catch {
      return "[object]";
    }
  };

  const print = function () {
    if (count >= mostLines || letters >= mostLetters) {
      cut = true;
      return;
    }
    let line = "";
    for (let index = 0; index < arguments.length; index++) {
      line += (index ? " " : "") + textOf(arguments[index]);
    }
    if (line.length > mostLetters - letters) cut = true;
    line = shorten(line, mostLetters - letters);
    letters += line.length;
    lines += (count++ ? "," : "") + stringify(line);
  };

  const fault = (error) => {
    let name = "Error", message = "", stack = "";
    try {
      if (typeof error === "object" && error !== null) {
        name = textOf(error.name ?? "Error");
        message = textOf(error.message ?? error);
        stack = textOf(error.stack ?? "");
      } else {
        message = error === null ? "null was thrown, or memory ran out" : textOf(error);
      }
    } catch {
      message = "an error that cannot be read was thrown";
    }
    return (
      `{"fault":{"name":${stringify(shorten(name, 100))},` +
      `"message":${stringify(shorten(message, LONGEST_TEXT))},` +
      `"stack":${stringify(shorten(stack, LONGEST_TEXT))}}`
    );
  };

  // The variables whose value is another one than before; a deleted one is null.
  const changes = () => {
    const now = global.variables;
    if (typeof now !== "object" || now === null || isArray(now)) {
      throw new TypeError("variables must stay an object");
    }
    const old = parse(before);
    let written = "";
    const keys = ownKeys(now);
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index];
      if (typeof key !== "string") continue;
      const value = stringify(now[key]);
      const known = getOwnPropertyDescriptor(old, key);
      if (value !== undefined && (!known || stringify(known.value) !== value)) {
        written += `${written ? "," : ""}${stringify(key)}:${value}`;
      }
    }
    const gone = ownKeys(old);
    for (let index = 0; index < gone.length; index++) {
      const here = getOwnPropertyDescriptor(now, gone[index]);
      if (!here || here.value === undefined) {
        written += `${written ? "," : ""}${stringify(gone[index])}:null`;
      }
    }
    return `{${written}}`;
  };

  const answer = () => {
    let body;
    if (state === RETURNED) {
      try {
        const value = stringify(settled);
        body = `{"value":${value === undefined ? "null" : value},"variables":${changes()}`;
      } catch (error) {
        body = fault(error);
      }
    } else {
      body = fault(settled);
    }
    // Sliced, because the host cannot read a text that is still in pieces.
    return apply(slice, `${body},"logs":[${lines}],"cut":${cut}}`, [0]);
  };

  const start = (code, input, variables, limits) => {
    before = variables;
    ({ lines: mostLines, letters: mostLetters } = parse(limits));
    const console = {};
    for (const name of ["log", "info", "warn", "error", "debug"]) console[name] = print;
    defineProperty(global, "console", { value: console, writable: true, configurable: true });
    defineProperty(global, "variables", { value: parse(variables), writable: true, configurable: true });
    // The lines before the user's own tell its lines from those of this file.
    (async () => {
      try {
        settled = await AsyncFunction("input", "\n".repeat(998) + code)(parse(input));
        state = RETURNED;
      } catch (error) {
        settled = error;
        state = THROWN;
      }
    })();
  };

  return (operation, ...given) => {
    if (operation === START) return apply(start, undefined, given);
    if (operation === STATE) return state;
    if (operation === ANSWER) return answer();
    return undefined;
  };
})()
