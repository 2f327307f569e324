import { expect, test } from "bun:test";
import { expandUriTemplate } from "./uri-template.ts";

/** The variables of RFC 6570, section 3.2. */
const VALUES = {
  count: ["one", "two", "three"],
  dom: ["example", "com"],
  var: "value",
  hello: "Hello World!",
  half: "50%",
  base: "http://example.com/home/",
  path: "/foo/bar",
  list: ["red", "green", "blue"],
  keys: { semi: ";", dot: ".", comma: "," },
  v: "6",
  x: "1024",
  y: "768",
  empty: "",
  who: "fred",
};

test("the expansions of RFC 6570 come out as printed there", () => {
  for (const [template, expected] of Object.entries({
    "{var}": "value",
    "{hello}": "Hello%20World%21",
    "{half}": "50%25",
    "O{empty}X": "OX",
    "{x,hello,y}": "1024,Hello%20World%21,768",
    "{var:3}": "val",
    "{list}": "red,green,blue",
    "{list*}": "red,green,blue",
    "{keys}": "semi,%3B,dot,.,comma,%2C",
    "{keys*}": "semi=%3B,dot=.,comma=%2C",
    "{+var}": "value",
    "{+hello}": "Hello%20World!",
    "{+half}": "50%25",
    "{base}index": "http%3A%2F%2Fexample.com%2Fhome%2Findex",
    "{+base}index": "http://example.com/home/index",
    "here?ref={+path}": "here?ref=/foo/bar",
    "{+path:6}/here": "/foo/b/here",
    "{+keys*}": "semi=;,dot=.,comma=,",
    "{#x,hello,y}": "#1024,Hello%20World!,768",
    "X{.dom*}": "X.example.com",
    "X{.list}": "X.red,green,blue",
    "{/var,x}/here": "/value/1024/here",
    "{/list*}": "/red/green/blue",
    "{/var:1,var}": "/v/value",
    "{;x,y,empty}": ";x=1024;y=768;empty",
    "{;list*}": ";list=red;list=green;list=blue",
    "{?x,y,empty}": "?x=1024&y=768&empty=",
    "{?x,y,undef}": "?x=1024&y=768",
    "{?list}": "?list=red,green,blue",
    "{?keys*}": "?semi=%3B&dot=.&comma=%2C",
    "?fixed=yes{&x}": "?fixed=yes&x=1024",
    "{&var:3}": "&var=val",
    "{?undef}": "",
  }))
    expect([template, expandUriTemplate(template, VALUES)]).toEqual([template, expected]);
});

test("a variable without a value, or a malformed expression, is refused outside a query", () => {
  for (const template of ["/pets/{id}", "/pets{/id}", "{+id}", "{#id}", "{.id}", "{a b}", "{list:3}", "{}"])
    expect(() => expandUriTemplate(template, VALUES)).toThrow();
  expect(() => expandUriTemplate("{deep}", { deep: [[1]] })).toThrow("nested");
  expect(expandUriTemplate("/pets/{id}", { id: "../admin?x#y" })).toBe("/pets/..%2Fadmin%3Fx%23y");
});
