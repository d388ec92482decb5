// Evaluated before the user's code; gives one function that the child process calls with a number.
// The user's code may replace anything that it can reach: so what is needed later is kept here, and
// nothing below calls a method by its name or builds on a prototype once that code has run.
(() => {
  "use strict";
  const { parse, rawJSON, stringify } = JSON;
  const { apply, ownKeys, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
  const { isArray } = Array;
  const { defineProperty } = Object;
  const { isInteger, isSafeInteger } = Number;
  const { exec } = RegExp.prototype;
  const { slice } = String.prototype;
  const { toExponential, toFixed } = Number.prototype;
  const { trunc } = Math;
  const numberOf = Number;
  const isFiniteNumber = Number.isFinite;
  const now = performance.now.bind(performance);
  const heirsOf = (prototype) => {
    const kind = function () {};
    kind.prototype = prototype;
    return kind;
  };
  // What loops go through, such as generators and the entries of a Map; old engines have no name for it.
  const Iterator = heirsOf(getPrototypeOf(getPrototypeOf([][Symbol.iterator]())));
  const AsyncIterator = heirsOf(getPrototypeOf(getPrototypeOf((async function* () {}).prototype)));
  const KINDS = {
    __proto__: null,
    Map, Set, WeakMap, WeakSet, WeakRef, Promise, Error, RegExp, ArrayBuffer, DataView, Symbol, Iterator, AsyncIterator,
  };
  const kinds = ownKeys(KINDS);
  const eachOfMap = Map.prototype.forEach, eachOfSet = Set.prototype.forEach;
  const MomentOf = Date;
  const AsyncFunction = (async () => {}).constructor;
  const global = globalThis;

  const START = 0, STATE = 1, ANSWER = 2, REJECTED = 3;
  const PENDING = 0, RETURNED = 1, THROWN = 2, THREW_NULL = 3;
  const MAX_TEXT = 2_000, MAX_COLUMNS = 50;

  let state = PENDING, settled, lost = false, before, maxLines, maxCharacters;
  let lines = "", count = 0, characters = 0, cut = false, indent = "";

  const shorten = (text, most) => apply(slice, text, [0, most]);

  // Which of those is a value that JSON would make an empty object of?
  const kindOf = (value) => {
    for (let index = 0; index < kinds.length; index++) {
      if (value instanceof KINDS[kinds[index]]) return kinds[index];
    }
    return undefined;
  };

  // What people are shown of what JSON does not have.
  const legible = (_, value) => {
    if (typeof value === "number" && !isFiniteNumber(value)) return `${value}`;
    if (typeof value === "function" || typeof value === "symbol") return `[${typeof value}]`;
    if (typeof value !== "object" || value === null) return value;
    const kind = kindOf(value);
    if (kind === "Error" || kind === "RegExp") return `${value}`;
    if (kind !== "Map" && kind !== "Set") return kind === undefined ? value : `[${kind}]`;
    const items = [];
    let count = 0;
    const add = (item) =>
      defineProperty(items, count++, { value: item, writable: true, configurable: true, enumerable: true });
    if (kind === "Map") apply(eachOfMap, value, [(item, key) => add([key, item])]);
    else apply(eachOfSet, value, [add]);
    return items;
  };

  const textOf = (value) => {
    if (typeof value === "string") return value;
    if (typeof value === "object" && value !== null) {
      try {
        const written = value instanceof KINDS.Error ? `${value}` : stringify(value, legible);
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

  const numberText = (value, whole) => {
    if (typeof value === "bigint") return `${value}`;
    if (typeof value === "symbol") return "NaN";
    try {
      const number = numberOf(value);
      return `${whole ? trunc(number) : number}`;
    } catch {
      return "NaN";
    }
  };

  // The arguments of console.log as one text: the first one may say how to write the others.
  const written = (given) => {
    let text = "", index = 0;
    if (typeof given[0] === "string" && given.length > 1) {
      const format = given[index++];
      for (let at = 0; at < format.length; at++) {
        const sign = format[at] === "%" ? format[at + 1] : undefined;
        const value = given[index];
        if (sign === "%") text += "%";
        else if (index >= given.length || sign === undefined) {
          text += format[at];
          continue;
        } else if (sign === "s" || sign === "o" || sign === "O" || sign === "j") text += textOf(value);
        else if (sign === "d" || sign === "i") text += numberText(value, sign === "i");
        else if (sign === "f") text += numberText(value, false);
        else if (sign !== "c") {
          text += format[at];
          continue;
        }
        if (sign !== "%") index++;
        at++;
      }
    }
    for (; index < given.length; index++) text += (index ? " " : "") + textOf(given[index]);
    return text;
  };

  const add = (text) => {
    if (count >= maxLines || characters >= maxCharacters) {
      cut = true;
      return;
    }
    let line = indent + text;
    if (line.length > maxCharacters - characters) cut = true;
    line = shorten(line, maxCharacters - characters);
    characters += line.length;
    lines += (count++ ? "," : "") + stringify(line);
  };

  const print = function () {
    add(written(arguments));
  };

  const isObject = (value) => typeof value === "object" && value !== null;

  // Each row as a line, below a line of the columns' names.
  const table = function (data) {
    if (!isObject(data)) return apply(print, undefined, arguments);
    const columns = { __proto__: null };
    let head = "(index)", number = 0, plain = false;
    const rows = ownKeys(data);
    const isRow = (key) => typeof key === "string" && getOwnPropertyDescriptor(data, key).enumerable;
    for (let index = 0; index < rows.length && count < maxLines; index++) {
      if (!isRow(rows[index])) continue;
      const row = data[rows[index]];
      if (!isObject(row)) {
        plain = true;
        continue;
      }
      const keys = ownKeys(row);
      for (let at = 0; at < keys.length && number < MAX_COLUMNS; at++) {
        const key = keys[at];
        if (typeof key !== "string" || columns[key] || !getOwnPropertyDescriptor(row, key).enumerable) continue;
        columns[key] = true;
        number++;
        head += ` | ${key}`;
      }
    }
    add(plain ? `${head} | (value)` : head);
    for (let index = 0; index < rows.length && count < maxLines; index++) {
      if (!isRow(rows[index])) continue;
      const row = data[rows[index]];
      let line = rows[index];
      const names = ownKeys(columns);
      for (let at = 0; at < names.length; at++) {
        const there = isObject(row) && getOwnPropertyDescriptor(row, names[at]);
        line += ` | ${there ? textOf(row[names[at]]) : ""}`;
      }
      if (plain) line += ` | ${isObject(row) ? "" : textOf(row)}`;
      add(line);
    }
  };

  const group = function () {
    if (arguments.length) add(written(arguments));
    if (indent.length < 20) indent += "  ";
  };

  const ungroup = () => {
    indent = apply(slice, indent, [2]);
  };

  const check = function (holds) {
    if (holds) return;
    const rest = [];
    for (let index = 1; index < arguments.length; index++) {
      defineProperty(rest, index - 1, { value: arguments[index], writable: true, configurable: true, enumerable: true });
    }
    add(rest.length ? `Assertion failed: ${written(rest)}` : "Assertion failed");
  };

  const counted = { __proto__: null }, begun = { __proto__: null };
  const labelOf = (given) => (given[0] === undefined ? "default" : textOf(given[0]));

  const counter = function () {
    const label = labelOf(arguments);
    counted[label] = (counted[label] ?? 0) + 1;
    add(`${label}: ${counted[label]}`);
  };

  const recount = function () {
    counted[labelOf(arguments)] = 0;
  };

  const begin = function () {
    const label = labelOf(arguments);
    if (label in begun) add(`Timer '${label}' is there already`);
    else begun[label] = now();
  };

  const elapsed = (ends) =>
    function () {
      const label = labelOf(arguments);
      if (!(label in begun)) return add(`Timer '${label}' is not there`);
      let line = `${label}: ${apply(toFixed, now() - begun[label], [3])}ms`;
      for (let index = 1; index < arguments.length; index++) line += ` ${textOf(arguments[index])}`;
      if (ends) delete begun[label];
      return add(line);
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
    if (lost) message = `a promise that nobody awaited was rejected: ${message}`;
    return (
      `{"fault":{"name":${stringify(shorten(name, 100))},` +
      `"message":${stringify(shorten(message, MAX_TEXT))},` +
      `"stack":${stringify(shorten(stack, MAX_TEXT))}}`
    );
  };

  const Unkept = TypeError;
  const HINTS = {
    __proto__: null,
    Promise: " (await it)",
    Map: " (give Object.fromEntries of it)",
    Set: " (give a list of it)",
    Error: " (give its message)",
    Iterator: " (give a list of it)",
    AsyncIterator: " (give a list of it)",
  };
  const LONG = /\d{16}/;
  // A Number beyond what is exact is no whole number any more; BigInts are.
  const inexact = (value) => {
    const digits = apply(toExponential, value, []);
    return apply(exec, LONG, [`${value}`]) ? rawJSON(digits) : value;
  };
  const unkept = (what, key) => {
    throw new Unkept(`${what} ${key === "" ? "cannot be kept" : `in '${shorten(key, 100)}' cannot be kept`}`);
  };
  // JSON would make null or an empty object of what it does not have, without a word.
  const kept = function (key, value) {
    if (typeof value === "number") {
      if (!isFiniteNumber(value)) unkept(`${value}`, key);
      return isInteger(value) && !isSafeInteger(value) ? inexact(value) : value;
    }
    if (value === null) {
      if (this[key] instanceof MomentOf) unkept("invalid Date", key);
      return null;
    }
    if (typeof value === "function" || typeof value === "symbol") unkept(typeof value, key);
    const kind = typeof value === "object" ? kindOf(value) : undefined;
    if (kind !== undefined) unkept(`${kind}${HINTS[kind] ?? ""}`, key);
    return value;
  };
  const json = (value) => stringify(value, kept);

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
      const value = json(now[key]);
      const known = getOwnPropertyDescriptor(old, key);
      if (value !== undefined && (!known || json(known.value) !== value)) {
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
        const value = json(settled);
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
    ({ lines: maxLines, characters: maxCharacters } = parse(limits));
    const silent = () => {};
    const console = {
      assert: check, dir: (value) => add(textOf(value)), dirxml: print, table,
      group, groupCollapsed: group, groupEnd: ungroup, count: counter, countReset: recount,
      time: begin, timeLog: elapsed(false), timeEnd: elapsed(true),
      clear: silent, profile: silent, profileEnd: silent, timeStamp: silent,
    };
    for (const name of ["log", "info", "warn", "error", "debug", "trace"]) console[name] = print;
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
    if (operation === STATE) return state === THROWN && settled === null ? THREW_NULL : state;
    if (operation === ANSWER) return answer();
    if (operation === REJECTED) {
      if (state === RETURNED) {
        lost = true;
        state = THROWN;
        settled = global[given[0]];
      }
    }
    return undefined;
  };
})()
