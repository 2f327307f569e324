import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";

/** One package that a project is built with. */
export interface Component {
  readonly ecosystem: "npm" | "cargo";
  readonly name: string;
  readonly version: string;
  /** By CycloneDX's name of the algorithm, hex. */
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly license?: string;
  /** Only for development and tests. */
  readonly development: boolean;
}

/** More components than any project of a release has. */
const MAXIMUM = 50_000;

const ALGORITHMS: Readonly<Record<string, string>> = {
  sha1: "SHA-1",
  sha256: "SHA-256",
  sha384: "SHA-384",
  sha512: "SHA-512",
};

/** `sha512-<base64>` of a lock file, one or several with spaces between. */
function integrityHashes(integrity: unknown): Component["hashes"] {
  if (typeof integrity !== "string") return [];
  return integrity.split(/\s+/).flatMap((each) => {
    const [name, value] = each.split(/-(.*)/s);
    const alg = ALGORITHMS[name ?? ""];
    return alg === undefined || value === undefined
      ? []
      : [{ alg, content: Buffer.from(value, "base64").toString("hex") }];
  });
}

/** The packages of a `package-lock.json`, version 2 or 3. @throws Failure `invalid_request` */
export function npmComponents(lock: unknown): Component[] {
  const packages = isObject(lock) ? lock["packages"] : undefined;
  if (!isObject(packages)) {
    throw fail("invalid_request", "package-lock.json has no packages", {
      hint: "make it with npm 7 or later: npm install --package-lock-only",
    });
  }
  const entries = Object.entries(packages as JsonObject);
  if (entries.length > MAXIMUM)
    throw fail("invalid_request", `the lock file names more than ${MAXIMUM} packages`);
  return entries.flatMap(([path, value]): Component[] => {
    // The project itself, and what links to a folder of it.
    if (path === "" || !path.includes("node_modules/") || !isObject(value) || value["link"] === true)
      return [];
    const name = typeof value["name"] === "string" ? value["name"] : path.split("node_modules/").at(-1)!;
    const version = value["version"];
    if (typeof version !== "string") return [];
    return [
      {
        ecosystem: "npm",
        name,
        version,
        hashes: integrityHashes(value["integrity"]),
        ...(typeof value["license"] === "string" ? { license: value["license"] } : {}),
        development: value["dev"] === true,
      },
    ];
  });
}

/** The packages of a `Cargo.lock` that come from a registry or a repository. */
export function cargoComponents(lock: unknown): Component[] {
  const packages = isObject(lock) ? lock["package"] : undefined;
  if (!Array.isArray(packages)) return [];
  return packages.flatMap((each: unknown): Component[] => {
    if (!isObject(each) || typeof each["source"] !== "string") return [];
    const { name, version, checksum } = each as Record<string, unknown>;
    if (typeof name !== "string" || typeof version !== "string") return [];
    const hashes = typeof checksum === "string" ? [{ alg: "SHA-256", content: checksum }] : [];
    return [{ ecosystem: "cargo", name, version, hashes, development: false }];
  });
}

/** Package URL (github.com/package-url/purl-spec). */
export function packageUrl({
  ecosystem,
  name,
  version,
}: Pick<Component, "ecosystem" | "name" | "version">): string {
  const path = name.split("/").map(encodeURIComponent).join("/");
  return `pkg:${ecosystem}/${path}@${encodeURIComponent(version)}`;
}

/**
 * A software bill of materials, CycloneDX 1.6. Nothing in it depends on when it is made: the same lock file gives the same
 * bytes.
 */
export function cycloneDx(
  subject: { readonly name: string; readonly version: string; readonly ecosystem: "npm" | "cargo" | "maven" },
  components: readonly Component[],
  tool: string,
): JsonObject {
  const known = new Map(components.map((each) => [packageUrl(each), each]));
  const sorted = [...known].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const reference =
    subject.ecosystem === "maven"
      ? `pkg:maven/${subject.name.replace(":", "/")}@${subject.version}`
      : packageUrl({ ...subject, ecosystem: subject.ecosystem });
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      tools: { components: [{ type: "application", name: "lightflow", version: tool }] },
      component: {
        type: "library",
        "bom-ref": reference,
        name: subject.name,
        version: subject.version,
        purl: reference,
      },
    },
    components: sorted.map(([purl, { name, version, hashes, license, development }]) => ({
      type: "library",
      "bom-ref": purl,
      name,
      version,
      purl,
      scope: development ? "excluded" : "required",
      ...(hashes.length === 0 ? {} : { hashes: hashes.map((each) => ({ ...each })) }),
      ...(license === undefined ? {} : { licenses: [licenceOf(license)] }),
    })),
    dependencies: [{ ref: reference, dependsOn: sorted.map(([purl]) => purl) }],
  };
}

/** One id is an id, something with operators an expression; what npm writes for none is only a name. */
function licenceOf(text: string): JsonObject {
  if (/^(?:UNLICENSED|SEE LICENSE IN .*|NONE)$/.test(text)) return { license: { name: text } };
  return /^[A-Za-z0-9.+-]+$/.test(text) ? { license: { id: text } } : { expression: text };
}
