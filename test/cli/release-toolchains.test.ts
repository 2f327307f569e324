import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { git, type ReleaseHost, releaseHost, repository } from "../support/release-host.ts";
import { prerequisite } from "../support/require.ts";

setDefaultTimeout(300_000);

/** The whole releases of a crate and of a library, each step under a lease in its sandbox, by this host's tools. */
let host: ReleaseHost;

const output = (...command: string[]): string | null => {
  if (Bun.which(command[0]!) === null) return null;
  const done = Bun.spawnSync(command, { cwd: "/" });
  return done.exitCode === 0 ? done.stdout.toString().trim() : null;
};
/** Where the compiler itself stands: the program in PATH may be one that chooses among several. */
const rust = output("rustc", "--print", "sysroot");
const cargo = rust !== null && existsSync(join(rust, "bin/cargo")) && Bun.which("cc") !== null ? rust : null;

/** A release pins what builds it; these are what the local repository has to hold, as nothing is fetched. */
const PLUGINS = { resources: "3.3.1", compiler: "3.13.0", surefire: "3.2.5", jar: "3.4.1" };
const libraries = join(homedir(), ".m2/repository");
const java = Bun.which("java");
const hasMaven =
  Bun.which("mvn") !== null &&
  java !== null &&
  Object.entries(PLUGINS).every(([name, version]) => {
    const plugin = `maven-${name}-plugin`;
    return existsSync(
      join(libraries, `org/apache/maven/plugins/${plugin}/${version}/${plugin}-${version}.jar`),
    );
  });
/** Debian keeps what its Maven and its JDK read at their start below /etc. */
const settings = [
  "maven",
  ...(existsSync("/etc") ? readdirSync("/etc") : []).filter((name) => /^java-/.test(name)),
]
  .map((name) => join("/etc", name))
  .filter((path) => existsSync(path));

beforeAll(async () => {
  const outside = (path: string) => !path.startsWith("/usr/");
  host = await releaseHost({
    shipped: "release",
    runnerFile: {
      readOnlyPaths: [
        ...(cargo !== null && outside(cargo) ? [cargo] : []),
        ...(hasMaven ? [libraries, ...settings] : []),
        ...(hasMaven && outside(realpathSync(java!)) ? [join(realpathSync(java!), "../..")] : []),
      ],
      environment: {
        PATH: [...(cargo === null ? [] : [join(cargo, "bin")]), "/usr/local/bin:/usr/bin:/bin"].join(":"),
        // Started anew three times, it has no time to get warm.
        MAVEN_OPTS: `-Dmaven.repo.local=${libraries} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC`,
      },
    },
  });
});
afterAll(async () => await host?.stop());

/** What the crate's one dependency has, according to its lock file. */
const CHECKSUM = "c0ffee".padEnd(64, "0");

/** Start, agree to everything, and look at what was published. */
async function release(workflow: string, project: string, name: string, file: string) {
  const started = await host.lightflow([
    "run",
    "start",
    workflow,
    "--inputs",
    JSON.stringify({ repository: project, registry: host.registry }),
  ]);
  const run = started.json["run_id"] as string;
  for (const step of ["publish", "sign", "tag"]) {
    const approval = await host.approval(run, `release.${step}`, 240);
    expect(await host.lightflow(["approvals", "approve", approval])).toMatchObject({ code: 0 });
  }
  expect(await host.ended(run)).toBe("succeeded");
  const published = join(host.registry, name);
  expect(readdirSync(published).sort()).toEqual(
    [file, "manifest.json", "provenance.intoto.json", "sbom.cdx.json"].sort(),
  );
  expect(await host.lightflow(["provenance", "verify", join(published, file)])).toMatchObject({
    code: 0,
    json: {
      verified: true,
      materials: [{ digest: { gitCommit: git(project, "rev-parse", "HEAD") } }],
    },
  });
  return join(published, file);
}

test.skipIf(!prerequisite("cargo", cargo !== null, "no cargo that runs, or no linker"))(
  "a crate is tested, built, packed, published, signed and tagged with the real cargo",
  async () => {
    const project = repository(join(host.box.path, "crate"), {
      "Cargo.toml":
        '[package]\nname = "greeting"\nversion = "1.2.0"\nedition = "2021"\nlicense = "MIT"\ndescription = "Greets."\n\n[dependencies]\nhail = "1"\n',
      "Cargo.lock": `version = 3

[[package]]
name = "greeting"
version = "1.2.0"
dependencies = [
 "hail",
]

[[package]]
name = "hail"
version = "1.0.3"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "${CHECKSUM}"
`,
      // As `cargo vendor` leaves it.
      ".cargo/config.toml":
        '[source.crates-io]\nreplace-with = "vendored"\n\n[source.vendored]\ndirectory = "vendor"\n',
      "vendor/hail/.cargo-checksum.json": JSON.stringify({ files: {}, package: CHECKSUM }),
      "vendor/hail/Cargo.toml": '[package]\nname = "hail"\nversion = "1.0.3"\nedition = "2021"\n',
      "vendor/hail/src/lib.rs": 'pub fn word() -> &\'static str { "hello" }\n',
      "src/lib.rs":
        'pub fn greet(name: &str) -> String { format!("{} {name}", hail::word()) }\n\n#[test]\nfn greets() { assert_eq!(greet("you"), "hello you"); }\n',
      ".gitignore": "target\n",
    });
    const crate = await release("workflow.release_rust", project, "greeting/1.2.0", "greeting-1.2.0.crate");
    expect(output("tar", "-tzf", crate)).toContain("greeting-1.2.0/src/lib.rs");
    expect(readFileSync(join(crate, "../sbom.cdx.json"), "utf8")).toContain("pkg:cargo/hail@1.0.3");
    expect(git(project, "tag", "--list")).toBe("v1.2.0");
  },
);

test.skipIf(!prerequisite("maven", hasMaven, "no Maven with these plugins in ~/.m2"))(
  "a library is tested, built, packed, published, signed and tagged with the real Maven, which asks nobody",
  async () => {
    const plugins = Object.entries(PLUGINS).map(
      ([name, version]) =>
        `<plugin><artifactId>maven-${name}-plugin</artifactId><version>${version}</version></plugin>`,
    );
    const project = repository(join(host.box.path, "library"), {
      "pom.xml": `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId>
  <artifactId>salute</artifactId>
  <version>1.0</version>
  <properties><maven.compiler.source>11</maven.compiler.source><maven.compiler.target>11</maven.compiler.target></properties>
  <build><plugins>${plugins.join("")}</plugins></build>
</project>
`,
      "src/main/java/Greeting.java":
        'public class Greeting { String greet(String n) { return "hello " + n; } }\n',
      ".mvn/maven.config": "--offline\n",
      ".gitignore": "target\n",
    });
    const jar = await release("workflow.release_java", project, "salute/1.0", "salute-1.0.jar");
    // Names of a zip's entries stand in it as they are.
    expect(readFileSync(jar).includes("Greeting.class")).toBe(true);
    expect(git(project, "tag", "--list")).toBe("v1.0");
  },
);
