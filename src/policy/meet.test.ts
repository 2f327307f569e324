import { expect, test } from "bun:test";
import { POLICY_LIMITS, POLICY_ORDERS, POLICY_SETS, PolicyLayer } from "../protocol/policy.ts";
import { validate } from "../protocol/validate.ts";
import { getValue, POLICY_FIELDS, setValue } from "./fields.ts";
import { meet } from "./meet.ts";

/** A generator with a seed: every failure comes back. */
function generator(seed: number) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const pick = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)]!;
  return { next, pick, some: <T>(values: readonly T[]) => values.filter(() => next() < 0.4) };
}

const NAMES = ["git", "git-*", "git-lfs", "maven", "*", "docker", "m*", "ma*"];
const PATHS = ["/", "/srv", "/srv/a", "/srv/a/b", "/srv-x", "/etc/passwd"];
const INNER = [".", "dist", "dist/a", "Dist", "build", ".github/workflows"];
const HOSTS = ["*", "*.example.com", "a.example.com", "*.b.example.com", "c.b.example.com", "example.com"];
const VALUES: Record<string, string[]> = {
  networkHosts: HOSTS,
  mounts: PATHS,
  executables: PATHS,
  artifactPaths: INNER,
};

function layers(count: number, seed: number): PolicyLayer[] {
  const { next, pick, some } = generator(seed);
  const sets = Object.keys(POLICY_SETS);
  return Array.from({ length: count }, () => {
    const layer: PolicyLayer = {};
    // A few fields each: with all of them in every layer the laws would be tried on the same strict bottom.
    for (let fields = 1 + Math.floor(next() * 8); fields > 0; fields--) {
      const set = pick(sets);
      switch (Math.floor(next() * 7)) {
        case 0: {
          const name = pick(Object.keys(POLICY_ORDERS)) as keyof typeof POLICY_ORDERS;
          setValue(layer, name, pick(POLICY_ORDERS[name] as readonly string[]));
          break;
        }
        case 1:
          setValue(layer, `limits.${pick(POLICY_LIMITS)}`, Math.floor(next() * 1000));
          break;
        case 2:
        case 3:
          setValue(layer, `allow.${set}`, some(VALUES[set] ?? NAMES));
          break;
        case 4:
          setValue(layer, `deny.${set}`, some(VALUES[set] ?? NAMES));
          break;
        case 5:
          setValue(layer, pick(["approvalRequired", "artifactExport", "directCommands"]), next() < 0.5);
          break;
        default:
          setValue(layer, "protectedPaths", some(INNER));
          setValue(layer, "requiresHumanApprovalBefore", some(["publish", "sign", "tag*"]));
          setValue(layer, "privateHosts", some(HOSTS));
      }
    }
    return layer;
  });
}

/** 10,500 sets of three. */
const GENERATED = layers(31_500, 20_261_121);
const sets = () =>
  Array.from(
    { length: 10_500 },
    (_, at) => GENERATED.slice(at * 3, at * 3 + 3) as [PolicyLayer, PolicyLayer, PolicyLayer],
  );

test("SR-5.4 the meet of layers does not depend on their order or grouping, and repeats change nothing", () => {
  for (const [a, b, c] of sets()) {
    const ab = meet(a, b);
    const all = meet(ab, c);
    const laws = {
      commutative: Bun.deepEquals(ab, meet(b, a)),
      associative: Bun.deepEquals(all, meet(a, meet(b, c))),
      idempotent: Bun.deepEquals(meet(ab, ab), ab) && Bun.deepEquals(meet(all, b), all),
    };
    if (Object.values(laws).includes(false)) throw new Error(JSON.stringify({ laws, a, b, c }));
  }
}, 60_000);

test("SR-5.4 the meet is never wider than any of its layers, in any field", () => {
  for (const layers of sets()) {
    const result = meet(meet(layers[0], layers[1]), layers[2]);
    for (const field of POLICY_FIELDS) {
      const value = getValue(result, field.path);
      for (const layer of layers) {
        const bound = getValue(layer, field.path);
        if (bound === undefined) continue;
        const wider = field.wider(value!, bound);
        if (wider !== null) throw new Error(`${field.path}: ${wider}`);
        // What was added by one layer stays, in its own or in a wider form.
        if (field.meet === "union" && !Bun.deepEquals(field.join(value!, bound), value!))
          throw new Error(`${field.path} lost something`);
      }
    }
  }
}, 60_000);

test("what a generated layer says is a layer by the schema", () => {
  for (const layer of GENERATED.slice(0, 2000)) validate(PolicyLayer, layer);
});

test("every member of the schema has its field, and each field is of the schema", () => {
  const paths = Object.entries(PolicyLayer.properties).flatMap(([name, schema]) =>
    "properties" in schema
      ? Object.keys(schema["properties"] as object).map((member) => `${name}.${member}`)
      : [name],
  );
  expect(POLICY_FIELDS.map(({ path }) => path).sort()).toEqual(paths.sort());
});

test("sets meet by what their patterns stand for", () => {
  const allow = (set: string, a: string[], b: string[]) =>
    getValue(meet({ allow: { [set]: a } }, { allow: { [set]: b } }), `allow.${set}`);
  expect(allow("capabilities", ["git*", "maven"], ["git-lfs", "go"])).toEqual(["git-lfs"]);
  expect(allow("mounts", ["/srv", "/opt/a"], ["/srv/data", "/srv-x", "/opt"])).toEqual([
    "/opt/a",
    "/srv/data",
  ]);
  expect(allow("networkHosts", ["*.example.com"], ["example.com", "a.example.com"])).toEqual([
    "a.example.com",
  ]);
  expect(allow("trustBundles", ["a"], ["b"])).toEqual([]);
});

for (const [what, layer] of [
  ["an unknown field", { sandbox: "none" }],
  ["an unknown word", { network: "closed" }],
  ["a negative limit", { limits: { taskMs: -1 } }],
  ["an unknown limit", { limits: { taskSeconds: 1 } }],
  ["a relative mount", { allow: { mounts: ["srv"] } }],
  ["a mount with dots", { allow: { mounts: ["/srv/../etc"] } }],
  ["a mount that ends in a slash", { allow: { mounts: ["/srv/"] } }],
  ["an absolute path of artifacts", { allow: { artifactPaths: ["/dist"] } }],
  ["a star inside a name", { allow: { capabilities: ["g*t"] } }],
  ["a host with a path", { allow: { networkHosts: ["example.com/x"] } }],
] as const) {
  test(`SR-5.7 a layer with ${what} is refused`, () => {
    expect(() => validate(PolicyLayer, layer)).toThrow();
  });
}
