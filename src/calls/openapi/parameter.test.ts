import { expect, test } from "bun:test";
import type { Json, JsonObject } from "../../base/json.ts";
import { parameterRule, writeParameter } from "./parameter.ts";

const write = (parameter: JsonObject, value: Json, isV2 = false) => {
  const { pairs, text } = writeParameter(parameterRule({}, { name: "color", ...parameter }, isV2), value);
  return parameter["in"] === "query" || parameter["in"] === "cookie"
    ? pairs.map(([name, item]) => `${name}=${item}`).join("&")
    : text;
};
const LIST = ["blue", "black", "brown"];
const MAP = { R: 100, G: 200, B: 150 };

test("the styles of OpenAPI 3 come out as its table has them", () => {
  // OpenAPI 3.1.1, 4.8.12.4 "Style Examples".
  for (const [place, style, explode, text, list, map] of [
    ["path", "matrix", false, ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150"],
    ["path", "matrix", true, ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150"],
    ["path", "label", false, ".blue", ".blue,black,brown", ".R,100,G,200,B,150"],
    ["path", "label", true, ".blue", ".blue.black.brown", ".R=100.G=200.B=150"],
    ["path", "simple", false, "blue", "blue,black,brown", "R,100,G,200,B,150"],
    ["header", "simple", true, "blue", "blue,black,brown", "R=100,G=200,B=150"],
    ["query", "form", false, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"],
    ["query", "form", true, "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150"],
    [
      "query",
      "spaceDelimited",
      false,
      "color=blue",
      "color=blue%20black%20brown",
      "color=R%20100%20G%20200%20B%20150",
    ],
    [
      "query",
      "pipeDelimited",
      false,
      "color=blue",
      "color=blue%7Cblack%7Cbrown",
      "color=R%7C100%7CG%7C200%7CB%7C150",
    ],
    [
      "query",
      "deepObject",
      true,
      "color=blue",
      undefined,
      "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150",
    ],
    ["cookie", "form", false, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"],
  ] as const) {
    const rule = { in: place, style, explode };
    expect([rule, write(rule, "blue")]).toEqual([rule, text]);
    if (list !== undefined) expect([rule, write(rule, LIST)]).toEqual([rule, list]);
    expect([rule, write(rule, MAP)]).toEqual([rule, map]);
  }
});

test("defaults, reserved characters and JSON content", () => {
  expect(write({ in: "query" }, LIST)).toBe("color=blue&color=black&color=brown");
  expect(write({ in: "path" }, LIST)).toBe("blue,black,brown");
  expect(write({ in: "query" }, "a/b?c&d=é")).toBe("color=a%2Fb%3Fc%26d%3D%C3%A9");
  expect(write({ in: "query", allowReserved: true }, "a/b")).toBe("color=a/b");
  expect(write({ in: "path" }, "a/b")).toBe("a%2Fb");
  expect(write({ in: "header" }, "a/b c")).toBe("a/b c");
  expect(write({ in: "query", content: { "application/json": {} } }, { a: [1] })).toBe(
    "color=%7B%22a%22%3A%5B1%5D%7D",
  );
});

test("the collection formats of OpenAPI 2", () => {
  for (const [format, expected] of [
    [undefined, "color=blue,black,brown"],
    ["csv", "color=blue,black,brown"],
    ["ssv", "color=blue%20black%20brown"],
    ["tsv", "color=blue%09black%09brown"],
    ["pipes", "color=blue%7Cblack%7Cbrown"],
    ["multi", "color=blue&color=black&color=brown"],
  ] as const)
    expect(write({ in: "query", ...(format && { collectionFormat: format }) }, LIST, true)).toBe(expected);
  expect(write({ in: "path" }, LIST, true)).toBe("blue,black,brown");
});
