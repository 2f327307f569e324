import { expect, test } from "bun:test";
import { readAsset } from "./asset.ts";
import { sourceOf } from "./source.ts";

const MEMBERS = 'id: "node.a", title: "A", kind: "node", description: "D", stability: "draft"';
const read = (text: string, kind: "node" | "workflow" = "node") =>
  readAsset(sourceOf("a.ts", text), kind, false);
const META = { id: "node.a", title: "A", kind: "node", description: "D", stability: "draft" };

test("META reads in every form that TypeScript gives it", () => {
  for (const text of [
    `export const META = { ${MEMBERS} };`,
    `const META = { ${MEMBERS} };`,
    `const META = { ${MEMBERS} };\nexport { META };`,
    `const about = { ${MEMBERS} };\nexport { about as META };`,
    `export const META: AssetMeta = { ${MEMBERS} };`,
    `export const META = { ${MEMBERS} } as const;`,
    `export const META = { ${MEMBERS} } as const satisfies AssetMeta;`,
    `export const META = (({ ${MEMBERS} })! as AssetMeta);`,
    `export const META = <AssetMeta>{ ${MEMBERS} };`,
    `export const META = { ${MEMBERS.replaceAll(/"(\w\w?)"/g, "`$1`")} };`,
    `export const META = { ${MEMBERS.replace("id:", '"id":')}, extra: anything() };`,
    `export const META = { ${MEMBERS.replace('"node", d', "AssetKind.Node, d").replace('"draft"', "Stability.Draft")} };`,
    `const ID = "node.a";\nexport const META = { ${MEMBERS.replace('"node.a"', "ID")} };`,
  ]) {
    const { asset, diagnostics } = read(text);
    expect([text, asset?.record.meta, diagnostics]).toEqual([text, META, []] as never);
  }
});

test("what cannot be read without running it is refused with its place and a hint", () => {
  const cases: [string, string, string][] = [
    [`export let §META = { ${MEMBERS} };`, "meta_invalid", "META is declared with let"],
    [`var §META = { ${MEMBERS} };`, "meta_invalid", "META is declared with var"],
    ["export const META = §make();", "meta_invalid", "META is not an object literal"],
    ['export const META = { [§"id"]: "a" };', "value_not_static", "a computed key is not read"],
    ["export const META = { §...base };", "meta_invalid", "META holds a spread"],
    [
      'export const META = { §get id() { return "x" } };',
      "value_not_static",
      "a getter or setter is not read",
    ],
    ["export const META = { §id() {} };", "value_not_static", "a method is not read"],
    ['export const META = { id: §"a" + "b" };', "value_not_static", "the operator + is not read"],
    ["export const META = { id: `a${§b}` };", "value_not_static", "a template literal with a substitution"],
    ["export const META = { id: §5 };", "meta_invalid", "META.id is not a string"],
    ['export const META = §{ id: "node.a" };', "meta_missing", "does not define META: title is missing"],
    [`export const META = { ${MEMBERS}, §id: "b" };`, "meta_invalid", "META.id stands twice"],
    [
      `export const META = { ${MEMBERS.replace('"node.a"', '§"../x"')} };`,
      "meta_invalid",
      '"../x" is not an asset id',
    ],
    [
      `export const META = { ${MEMBERS.replace('"draft"', '§"drafty"')} };`,
      "meta_invalid",
      'META.stability is "drafty"',
    ],
    [`export const META = { ${MEMBERS}, version: §"1" };`, "meta_invalid", 'META.version "1"'],
    ["export const META = §META;", "meta_invalid", "META is not an object literal"],
    ["§export const meta = {};", "meta_missing", "asset a.ts does not define META"],
  ];
  for (const [marked, code, message] of cases) {
    const column = marked.indexOf("§") + 1;
    expect([marked, read(marked.replace("§", "")).diagnostics]).toEqual([
      marked,
      [
        {
          code,
          path: "a.ts",
          line: 1,
          column,
          severity: "error",
          message: expect.stringContaining(message),
          hint: expect.any(String),
        },
      ],
    ] as never);
  }
});

test("an asset in another kind's folder is refused in the seed's words", () => {
  expect(read(`export const META = { ${MEMBERS} };`, "workflow")).toMatchObject({
    asset: undefined,
    diagnostics: [{ code: "kind_mismatch", message: "asset a.ts has kind nodes, expected workflows" }],
  });
});
