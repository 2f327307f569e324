/** One line of a scenario; `text` is its doc string. */
export interface Step {
  readonly line: string;
  readonly text: string | null;
}

export interface Scenario {
  readonly feature: string;
  readonly name: string;
  readonly steps: readonly Step[];
}

/**
 * Reads what the conformance kit uses of Gherkin: features, scenarios, steps and doc strings. Every other line that is
 * neither blank, a comment nor a feature's description is an error, so that nothing is passed over.
 */
export function readFeature(text: string): Scenario[] {
  const scenarios: { feature: string; name: string; steps: Step[] }[] = [];
  const lines = text.split("\n");
  let feature = "";
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!.trim();
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("Feature:")) {
      feature = line.slice("Feature:".length).trim();
    } else if (line.startsWith("Scenario:")) {
      scenarios.push({ feature, name: line.slice("Scenario:".length).trim(), steps: [] });
    } else if (/^(Given|When|Then|And) /.test(line)) {
      const scenario = scenarios.at(-1);
      if (scenario === undefined) throw new Error(`line ${at + 1}: a step outside of a scenario`);
      const opening = lines[at + 1]?.trim() ?? "";
      if (!opening.startsWith('"""')) {
        scenario.steps.push({ line: line.replace(/^(Given|When|Then|And)\s+/, ""), text: null });
        continue;
      }
      const indent = lines[at + 1]!.search(/\S/);
      const end = lines.findIndex((other, index) => index > at + 1 && other.trim() === '"""');
      if (end < 0) throw new Error(`line ${at + 2}: the doc string does not end`);
      const body = lines
        .slice(at + 2, end)
        .map((other) => other.slice(Math.min(indent, other.search(/\S|$/))));
      scenario.steps.push({ line: line.replace(/^(Given|When|Then|And)\s+/, ""), text: body.join("\n") });
      at = end;
    } else if (scenarios.length > 0) throw new Error(`line ${at + 1} is not understood: ${line}`);
  }
  return scenarios;
}
