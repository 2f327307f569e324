/** What decides who may do what, and what runs by itself: no agent changes it, whatever policy says or leaves out. */
const ALWAYS = [
  ".git",
  ".github",
  ".gitlab",
  ".gitlab-ci.yml",
  ".circleci",
  ".buildkite",
  ".husky",
  ".gitmodules",
  ".gitattributes",
  ".env",
  ".npmrc",
  ".gitea",
  ".forgejo",
  ".woodpecker",
  ".woodpecker.yml",
  ".drone.yml",
  ".travis.yml",
  ".teamcity",
  "appveyor.yml",
  "azure-pipelines.yml",
  "bitbucket-pipelines.yml",
  "jenkinsfile",
  "codeowners",
  // What tools start by themselves, where somebody only opens or builds it.
  ".githooks",
  ".pre-commit-config.yaml",
  "lefthook.yml",
  ".lefthook.yml",
  ".envrc",
  ".vscode",
  ".devcontainer",
  ".mvn",
  ".cargo",
  ".yarn",
  ".yarnrc.yml",
  ".pnpmfile.cjs",
  // Releases, and what may be done by whom.
  ".goreleaser.yml",
  ".goreleaser.yaml",
  ".releaserc",
  "lightflow/compositions",
  "lightflow/policies",
  "lightflow/profiles",
  "lightflow/workflows",
];

/** Letters of other scripts that look like Latin ones. */
const CONFUSABLE: Readonly<Record<string, string>> = {
  а: "a",
  ɑ: "a",
  α: "a",
  с: "c",
  ϲ: "c",
  ԁ: "d",
  е: "e",
  ε: "e",
  ɡ: "g",
  һ: "h",
  і: "i",
  ι: "i",
  ı: "i",
  ј: "j",
  к: "k",
  κ: "k",
  ӏ: "l",
  ⅼ: "l",
  м: "m",
  η: "n",
  п: "n",
  о: "o",
  ο: "o",
  σ: "o",
  р: "p",
  ρ: "p",
  ѕ: "s",
  т: "t",
  τ: "t",
  υ: "u",
  ν: "v",
  ѵ: "v",
  ԝ: "w",
  ω: "w",
  х: "x",
  χ: "x",
  у: "y",
  γ: "y",
  "․": ".",
  "‧": ".",
  "∕": "/",
  "⁄": "/",
};

/** A path as somebody reads it: one case, one form, nothing that cannot be seen, letters by their look. */
function lookOf(path: string): string {
  return (
    [
      ...path
        .normalize("NFKC")
        .toLowerCase()
        .replaceAll(/[\p{Cf}\p{Mn}\p{Cc}]/gu, ""),
    ]
      .map((letter) => CONFUSABLE[letter] ?? letter)
      .join("")
      .split(/[/\\]/)
      // Some file systems drop these at the end of a name, and read what is behind a colon as a part of the file before it.
      .map((name) => name.replace(/(?<=.):.*$/, "").replace(/[ .]+$/, (end) => (name === end ? end : "")))
      .join("/")
  );
}

/** The rule that protects a path, or null. A name without a slash protects wherever it stands. */
export function protectedBy(path: string, more: readonly string[]): string | null {
  const looks = lookOf(path);
  const names = looks.split("/");
  for (const rule of [...ALWAYS, ...more]) {
    const look = lookOf(rule);
    if (look === ".") return rule;
    const hit = look.includes("/") ? looks === look || looks.startsWith(`${look}/`) : names.includes(look);
    if (hit) return rule;
  }
  return names.some((name) => name.startsWith(".env.")) ? ".env" : null;
}
