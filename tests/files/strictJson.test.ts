// The JSON reader for headers: equal to JSON.parse on valid text, stricter on the rest.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonError, type JsonValue, parseStrictJson } from "../../src/files/strictJson.js";

function plain(value: JsonValue): unknown {
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<string, JsonValue>)];
    return Object.fromEntries(entries.map(([key, member]) => [key, plain(member)]));
  }
  return Array.isArray(value) ? (value as readonly JsonValue[]).map(plain) : value;
}

describe("parseStrictJson", () => {
  it("reads what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(plain(parseStrictJson(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it("keeps the order of number-like keys", () => {
    const value = parseStrictJson('{"10": 1, "2": 2, "__proto__": 3}');
    expect([...(value as ReadonlyMap<string, JsonValue>).keys()]).toEqual(["10", "2", "__proto__"]);
  });

  it.each([
    "",
    " ",
    "{",
    '{"a"}',
    '{"a":1,}',
    "[1,]",
    "[1 2]",
    "01",
    "1.",
    "+1",
    "nul",
    '"\n"',
    '"\\x"',
    '"open',
    '"open\\',
    "{a:1}",
    "1 2",
    "NaN",
    "\ufeff1",
    '{"a":1,"a":2}',
    "[".repeat(100) + "]".repeat(100),
  ])("refuses %j", (text) => {
    expect(() => parseStrictJson(text)).toThrow(JsonError);
  });

  it("agrees with JSON.parse about any text of JSON's characters", () => {
    const pieces = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "\\",
      "a",
      "1",
      "-",
      "e",
      ".",
      " ",
      "null",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        const text = parts.join("");
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => parseStrictJson(text)).toThrow(JsonError);
          return;
        }
        expect(plain(parseStrictJson(text))).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });
});
