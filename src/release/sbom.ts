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

/** By the name that npm has for it: CycloneDX's name, and the hex digits of a digest. */
const ALGORITHMS: Readonly<Record<string, readonly [string, number]>> = {
  sha1: ["SHA-1", 40],
  sha256: ["SHA-256", 64],
  sha384: ["SHA-384", 96],
  sha512: ["SHA-512", 128],
};

/** The format takes a digest of the right length or none: what a lock file has wrong is left out. */
function hashOf(name: string, content: string): Component["hashes"] {
  const [alg, digits] = ALGORITHMS[name] ?? ["", 0];
  return alg !== "" && content.length === digits && /^[0-9a-f]+$/.test(content) ? [{ alg, content }] : [];
}

/** `sha512-<base64>` of a lock file, one or several with spaces between. */
function integrityHashes(integrity: unknown): Component["hashes"] {
  if (typeof integrity !== "string") return [];
  return integrity.split(/\s+/).flatMap((each) => {
    const [name, value] = each.split(/-(.*)/s);
    return hashOf(name ?? "", Buffer.from(value ?? "", "base64").toString("hex"));
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
    const hashes = typeof checksum === "string" ? hashOf("sha256", checksum) : [];
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
  const known = new Map<string, Component>();
  for (const each of components) {
    const url = packageUrl(each);
    // Two places of one package: what one of them needs at run time is needed.
    const development = each.development && known.get(url)?.development !== false;
    known.set(url, { ...known.get(url), ...each, development });
  }
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

/** Of SPDX's list what nearly all packages have: the format takes an id of that list, or a name. */
const LICENCES = new Set(
  (
    "0BSD AFL-2.1 AFL-3.0 AGPL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-1.0 Artistic-2.0 " +
    "BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-4-Clause BSL-1.0 " +
    "CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CDDL-1.1 CDLA-Permissive-2.0 CPL-1.0 ECL-2.0 EPL-1.0 " +
    "EPL-2.0 EUPL-1.1 EUPL-1.2 GPL-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0 GPL-3.0-only GPL-3.0-or-later ISC " +
    "LGPL-2.0 LGPL-2.1 LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0 LGPL-3.0-only LGPL-3.0-or-later LPL-1.02 MIT MIT-0 " +
    "MPL-1.1 MPL-2.0 MS-PL NCSA OFL-1.1 OpenSSL PostgreSQL PSF-2.0 Python-2.0 Ruby SSPL-1.0 Unicode-3.0 " +
    "Unicode-DFS-2016 Unlicense UPL-1.0 W3C WTFPL X11 Zlib ZPL-2.1"
  ).split(" "),
);

/** An id of the list is an id, ids with operators between them an expression; anything else is only a name. */
function licenceOf(text: string): JsonObject {
  if (LICENCES.has(text)) return { license: { id: text } };
  const words = text.split(/[\s()]+/).filter((word) => word !== "");
  const isExpression =
    words.length > 1 &&
    words.some((word) => LICENCES.has(word)) &&
    words.every((word) => /^(?:OR|AND|WITH)$/.test(word) || /^[A-Za-z0-9.+-]+$/.test(word)) &&
    words.some((word) => /^(?:OR|AND|WITH)$/.test(word));
  return isExpression ? { expression: text } : { license: { name: text } };
}
