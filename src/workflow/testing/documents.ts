import type { Diagnostic } from "../diagnostic.ts";
import { inspectDocument } from "../load.ts";
import type { Mode } from "../schema/index.ts";

export const HEADER = "document: { dsl: 1.0.3, namespace: tests, name: one, version: 0.1.0 }\n";

/** Each diagnostic of a document (without its header) as `code line:column pointer`. */
export function found(text: string, mode: Mode = "light"): string[] {
  return diagnostics(text, mode).map(
    ({ code, line, column, pointer }) => `${code} ${line}:${column} ${pointer || "/"}`,
  );
}

export function diagnostics(text: string, mode: Mode = "light"): readonly Diagnostic[] {
  return inspectDocument(HEADER + text, { mode, format: "yaml" }).diagnostics;
}

/** A document that uses every task, call and field of the dialect. */
export const DIALECT = `document:
  dsl: 1.0.3
  namespace: tests
  name: dialect
  version: 1.2.3-beta.1
  metadata:
    lightWorkflow:
      runner: { runnerPool: release, executionProfile: release-sandbox, capabilities: [git, maven] }
do:
  - build:
      run:
        shell:
          command: ./release.sh
          arguments: ["\${ .release.version }"]
          environment: { CI: "true" }
        return: all
      metadata:
        anything: [1, 2]
        lightWorkflow:
          runner: { commandTemplateId: light-fabric-release-build }
          security: { sandbox: { mode: workflow-session } }
          repeatable: true
          artifacts: [{ path: "target/*.jar", name: jars, mediaType: application/java-archive }]
          output: json
          timeoutMs: 60000
  - claims:
      assert:
        - that: .files > 0
          message: \${ "only \\(.files) files" }
        - value: \${ .name }
          equals: demo
          matches: ^d
          exists: true
  - compared:
      assert:
        value: \${ . }
        contains: { ok: true }
        json: { .files: { equals: 3 }, .name: { matches: "^d" } }
        schema: { document: { type: object } }
  - confirm:
      ask:
        prompt: \${ "Publish \\(.name)?" }
        options: [yes-please, { value: false, label: No }]
        schema: { document: {} }
        assignment: { assigneeId: ann, roleId: release, categoryCode: a, reasonCode: b }
        default: false
        required: true
        timeout: PT1H
        onTimeout: default
        sensitive: false
  - all:
      graph:
        failure: continue
        concurrency: 2
        steps:
          one: { task: { set: { a: 1 } } }
          two: { needs: [one], if: .one.a == 1, task: { do: [{ inner: { set: { b: 2 } } }] } }
          three: { needs: [one, two], task: { wait: PT1S } }
  - summary:
      call: agent
      with: { agent: summarizer, input: "\${ . }", tokenBudget: 1000, outputSchema: { document: {} } }
  - service:
      call: agent-service
      with: { agent: reviewer, endpoint: https://agents.example.com, prompt: Look }
  - exchange:
      call: cortex
      with: { target: { kind: tool, tool: search }, body: { query: "\${ .name }" }, requestId: one }
`;
