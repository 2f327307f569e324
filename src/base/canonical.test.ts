import { expect, test } from "bun:test";
import { canonicalJson, digestOf } from "./canonical.ts";

test("the golden digest of {a:1,b:2} does not depend on key order", () => {
  const golden = "sha256:43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777";
  expect(digestOf({ a: 1, b: 2 })).toBe(golden);
  expect(digestOf({ b: 2, a: 1 })).toBe(golden);
});

test("the examples of RFC 8785 come out as printed there", () => {
  expect(canonicalJson({ numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 1e-27] })).toBe(
    '{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}',
  );
  expect(canonicalJson({ "\u20ac": 1, "\r": 2, "1": 3, "\ud83d\ude00": 4, "\ufb33": 5 })).toBe(
    '{"\\r":2,"1":3,"\u20ac":1,"\ud83d\ude00":4,"\ufb33":5}',
  );
});

test("what is not JSON is refused", () => {
  expect(() => canonicalJson(Number.NaN)).toThrow("finite");
  expect(() => canonicalJson("\ud800")).toThrow("surrogate");
  expect(() => canonicalJson({ a: () => 1 })).toThrow("not JSON");
});
