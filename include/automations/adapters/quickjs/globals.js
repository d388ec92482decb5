// What scripts expect beside the language, and the engine does not have; evaluated before all else.
(() => {
  "use strict";
  const { apply } = Reflect;
  const { defineProperty } = Object;
  const { parse, rawJSON } = JSON;
  const { exec } = RegExp.prototype;
  const big = BigInt;
  const { isSafeInteger } = Number;

  const define = (holder, name, value) =>
    defineProperty(holder, name, { value, writable: true, configurable: true });

  // Whole numbers that a Number would round are BigInts: in what is read as JSON, and back again.
  const MAX_DIGITS = 1_000;
  const LONG = /\d{16}/;
  const WHOLE = /^-?\d+$/;
  const exact = (value, context) =>
    typeof value === "number" && !isSafeInteger(value) && apply(exec, WHOLE, [context.source])
      ? big(context.source)
      : value;
  define(BigInt.prototype, "toJSON", function toJSON() {
    const digits = `${this}`;
    if (digits.length > MAX_DIGITS) throw new RangeError(`a BigInt of more than ${MAX_DIGITS} digits is no JSON here`);
    return rawJSON(digits);
  });
  define(JSON, "parse", function parseExactly(text, reviver) {
    text = `${text}`;
    if (!apply(exec, LONG, [text])) return parse(text, reviver);
    if (typeof reviver !== "function") return parse(text, (_, value, context) => exact(value, context));
    return parse(text, function (key, value, context) {
      return reviver.call(this, key, exact(value, context), context);
    });
  });

  // The engine would take locales and zones, and answer as if there were none.
  const refuse = (holder, name, instead) => {
    const sound = holder.prototype[name];
    define(holder.prototype, name, function (...given) {
      if (typeof sound === "function" && !instead.always && given.slice(instead.from).every((one) => one === undefined)) {
        return sound.apply(this, given);
      }
      throw new TypeError(`${name} knows no locales and time zones here; ${instead.words}`);
    });
  };
  const numbers = { always: true, words: "use toFixed, or write the text by yourself" };
  const moments = { always: true, words: "use toISOString, or write the text from getUTCHours and its like" };
  refuse(Number, "toLocaleString", numbers);
  refuse(BigInt, "toLocaleString", numbers);
  for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]) {
    refuse(Date, name, moments);
  }
  refuse(String, "localeCompare", { from: 1, words: "leave locales and options out" });
  refuse(String, "toLocaleUpperCase", { from: 0, words: "use toUpperCase" });
  refuse(String, "toLocaleLowerCase", { from: 0, words: "use toLowerCase" });

  const TYPED = Object.getPrototypeOf(Uint8Array);
  const BOXES = [Number, String, Boolean, BigInt];
  const cloned = (value, seen) => {
    if (typeof value === "function" || typeof value === "symbol") {
      throw new DOMException(`a ${typeof value} cannot be cloned`, "DataCloneError");
    }
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => {
      seen.set(value, copy);
      return copy;
    };
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (value instanceof TYPED) return keep(new value.constructor(value));
    if (value instanceof DataView) {
      return keep(new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength)));
    }
    if (BOXES.some((box) => value instanceof box)) return keep(Object(value.valueOf()));
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, item] of value) copy.set(cloned(key, seen), cloned(item, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const item of value) copy.add(cloned(item, seen));
      return copy;
    }
    if (value instanceof Error) {
      const copy = keep(new (globalThis[value.name]?.prototype instanceof Error ? globalThis[value.name] : Error)(value.message));
      define(copy, "stack", value.stack);
      if ("cause" in value) define(copy, "cause", cloned(value.cause, seen));
      return copy;
    }
    const kind = Object.prototype.toString.call(value);
    if (kind !== "[object Object]" && kind !== "[object Array]" && kind !== "[object Arguments]") {
      throw new DOMException(`${kind} cannot be cloned`, "DataCloneError");
    }
    const copy = keep(Array.isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) {
      defineProperty(copy, key, {
        value: cloned(value[key], seen), writable: true, enumerable: true, configurable: true,
      });
    }
    return copy;
  };
  define(globalThis, "structuredClone", function structuredClone(value) {
    if (arguments.length === 0) throw new TypeError("structuredClone takes a value");
    return cloned(value, new Map());
  });

  define(globalThis, "TextEncoder", class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(text = "") {
      const bytes = [];
      for (const letter of `${text}`.toWellFormed()) {
        const code = letter.codePointAt(0);
        if (code < 0x80) bytes.push(code);
        else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
        else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
        else {
          bytes.push(
            0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63),
          );
        }
      }
      return new Uint8Array(bytes);
    }
  });

  // As https://encoding.spec.whatwg.org has it: which bytes may follow, and what stands for the rest.
  const decoded = (bytes, fatal) => {
    let text = "", code = 0, needed = 0, least = 0x80, most = 0xbf;
    const wrong = () => {
      if (fatal) throw new TypeError("the bytes are not UTF-8");
      text += "\ufffd";
      needed = 0;
    };
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index];
      if (needed) {
        if (byte < least || byte > most) {
          wrong();
          [least, most] = [0x80, 0xbf];
        } else {
          [least, most] = [0x80, 0xbf];
          code = (code << 6) | (byte & 63);
          if (--needed === 0) text += String.fromCodePoint(code);
          continue;
        }
      }
      if (byte < 0x80) text += String.fromCharCode(byte);
      else if (byte >= 0xc2 && byte <= 0xdf) [needed, code] = [1, byte & 31];
      else if (byte >= 0xe0 && byte <= 0xef) {
        [needed, code] = [2, byte & 15];
        if (byte === 0xe0) least = 0xa0;
        if (byte === 0xed) most = 0x9f;
      } else if (byte >= 0xf0 && byte <= 0xf4) {
        [needed, code] = [3, byte & 7];
        if (byte === 0xf0) least = 0x90;
        if (byte === 0xf4) most = 0x8f;
      } else wrong();
    }
    if (needed) wrong();
    return text;
  };
  define(globalThis, "TextDecoder", class TextDecoder {
    #fatal;
    #ignoreBOM;
    constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
      if (!["utf-8", "utf8", "unicode-1-1-utf-8"].includes(`${label}`.trim().toLowerCase())) {
        throw new RangeError(`TextDecoder knows UTF-8 only here, not ${label}`);
      }
      this.#fatal = Boolean(fatal);
      this.#ignoreBOM = Boolean(ignoreBOM);
    }
    get encoding() {
      return "utf-8";
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(given = new Uint8Array(), { stream = false } = {}) {
      if (stream) throw new TypeError("TextDecoder takes all bytes at once here, no stream");
      const bytes = ArrayBuffer.isView(given)
        ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
        : new Uint8Array(given);
      const text = decoded(bytes, this.#fatal);
      return !this.#ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
    }
  });
})()
